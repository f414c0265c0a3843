//go:build !js

//lint:file-ignore SA1019 as in link.go

package link

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"nhooyr.io/websocket"

	"hone/core/wire"
)

// strict is a server that answers 16 requests of a link at the same time, refuses others, and can be cut off.
type strict struct {
	t       *testing.T
	mu      sync.Mutex
	journal map[string][]wire.Frame
	working int
	most    int
	refused int
	failing int          // so many requests are answered with an error
	live    []wire.Frame // events that a link hears at once
	cut     chan struct{}
}

func (s *strict) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer conn.CloseNow()
	ctx, end := context.WithCancel(r.Context())
	defer end()
	s.mu.Lock()
	cut := s.cut
	s.working = 0
	s.mu.Unlock()
	go func() {
		select {
		case <-cut:
			conn.CloseNow()
		case <-ctx.Done():
		}
	}()
	send := func(f wire.Frame) {
		f.V = wire.Version
		raw, _ := json.Marshal(f)
		_ = conn.Write(ctx, websocket.MessageText, raw) // a cut connection takes nothing
	}
	if _, _, err := conn.Read(ctx); err != nil {
		return
	}
	send(wire.Frame{Kind: wire.KindReply, Data: json.RawMessage(`{}`)})
	for _, f := range s.live {
		send(f)
	}
	for {
		_, raw, err := conn.Read(ctx)
		if err != nil {
			return
		}
		f, err := wire.ParseFrame(raw)
		if err != nil {
			s.t.Error(err)
			return
		}
		if f.Name == (wire.Cancel{}).Name() {
			continue
		}
		s.mu.Lock()
		text := ""
		if s.working >= 16 {
			s.refused++
			text = "too many requests; wait a moment"
		} else if s.failing > 0 {
			s.failing--
			text = "The server could not do this; its log says why."
		}
		if text == "" {
			s.working++
			s.most = max(s.most, s.working)
		}
		s.mu.Unlock()
		if text != "" {
			send(wire.Frame{Kind: wire.KindReply, ID: f.ID, Error: text})
			continue
		}
		go func() {
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return
			}
			s.mu.Lock()
			reply := wire.Frame{Kind: wire.KindReply, ID: f.ID}
			var r wire.Replay
			if f.Name == r.Name() && json.Unmarshal(f.Data, &r) == nil {
				told := wire.Told{}
				for _, e := range s.journal[r.Run] {
					if e.Seq >= r.Seq {
						told.Events = append(told.Events, e)
					}
				}
				reply.Data, _ = json.Marshal(told)
			}
			s.working--
			s.mu.Unlock()
			send(reply)
		}()
	}
}

// interrupt does something while nobody is connected.
func (s *strict) interrupt(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
	f()
}

// A link that comes back asks for what it missed of every run until it has it, however many there are and whatever the server
// cannot do at first; and what was asked meanwhile is answered.
func TestManyRunsOnOneLink(t *testing.T) {
	const runs = 40
	s := &strict{t: t, journal: map[string][]wire.Frame{}, cut: make(chan struct{})}
	server := httptest.NewServer(s)
	defer server.Close()
	for i := range runs {
		id := fmt.Sprint("run-", i)
		s.journal[id] = []wire.Frame{{V: wire.Version, Kind: wire.KindEvent, Run: id, Seq: 1, Name: "queued"}}
	}
	var mu sync.Mutex
	heard, down := map[string]uint64{}, make(chan struct{}, 100)
	c, err := Dial(t.Context(), Options{URL: server.URL, Event: func(f wire.Frame) {
		mu.Lock()
		defer mu.Unlock()
		if f.Seq != heard[f.Run]+1 {
			t.Errorf("event %d of %s comes after %d", f.Seq, f.Run, heard[f.Run])
		}
		heard[f.Run] = f.Seq
	}, State: func(s State) {
		if !s.Connected {
			down <- struct{}{}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	reach := func(seq uint64) {
		t.Helper()
		var n int
		for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			n = 0
			mu.Lock()
			for _, at := range heard {
				if at >= seq {
					n++
				}
			}
			mu.Unlock()
			if n == runs {
				return
			}
		}
		t.Fatalf("event %d was heard of %d runs, want %d", seq, n, runs)
	}
	for id := range s.journal {
		c.Follow(id, 1)
	}
	reach(1)
	s.interrupt(func() {
		for id, j := range s.journal {
			s.journal[id] = append(j, wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: id, Seq: 2, Name: "finished"})
		}
		s.failing = 5
	})
	<-down
	reach(2)
	// What was asked while the server was away.
	s.interrupt(func() {})
	<-down
	var all sync.WaitGroup
	for range runs {
		all.Go(func() {
			if _, err := c.Ask(t.Context(), wire.Runs{}.Name(), wire.Runs{}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if s.refused > 0 || s.most > maxBusy {
		t.Errorf("%d requests were refused; up to %d were sent at the same time", s.refused, s.most)
	}
}

// Who wants to hear of a run from its beginning hears each event once, although others came before Follow was called.
func TestHeardBeforeFollow(t *testing.T) {
	s := &strict{t: t, journal: map[string][]wire.Frame{}, cut: make(chan struct{})}
	for seq := range uint64(6) {
		s.journal["x"] = append(s.journal["x"], wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: "x", Seq: seq + 1, Name: "progress"})
	}
	s.live = s.journal["x"][3:]
	server := httptest.NewServer(s)
	defer server.Close()
	heard := make(chan uint64, 100)
	c, err := Dial(t.Context(), Options{URL: server.URL, Named: true, Event: func(f wire.Frame) { heard <- f.Seq }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Ask(t.Context(), wire.Runs{}.Name(), wire.Runs{}, nil); err != nil { // its reply comes behind the events
		t.Fatal(err)
	}
	c.Follow("x", 1)
	for want := range uint64(6) {
		select {
		case seq := <-heard:
			if seq != want+1 {
				t.Fatalf("event %d comes where %d is next", seq, want+1)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("event %d is not heard", want+1)
		}
	}
}

// A server that has no such run, or does not show it to this client, is not asked again, whatever words it has for that; one that fails is.
func TestDeniedReplays(t *testing.T) {
	for _, c := range []struct {
		status int
		once   bool
	}{{404, true}, {403, true}, {401, true}, {500, false}, {0, false}} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			t.Parallel()
			asked := make(chan struct{}, 100)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conn, err := websocket.Accept(w, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.CloseNow()
				for {
					_, raw, err := conn.Read(r.Context())
					if err != nil {
						return
					}
					f, err := wire.ParseFrame(raw)
					if err != nil {
						t.Error(err)
						return
					}
					reply := wire.Frame{V: wire.Version, Kind: wire.KindReply, ID: f.ID, Data: json.RawMessage(`{}`)}
					if f.Name == (wire.Replay{}).Name() {
						reply.Error, reply.Status = "没有这个训练", c.status
						asked <- struct{}{}
					}
					raw, _ = json.Marshal(reply)                            // a plain value
					_ = conn.Write(r.Context(), websocket.MessageText, raw) // a client that has gone hears nothing
				}
			}))
			defer server.Close()
			l, err := Dial(t.Context(), Options{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if _, err := l.Ask(t.Context(), wire.Replay{}.Name(), wire.Replay{Run: "x"}, nil); err == nil || wire.StatusOf(err) != c.status || err.Error() != "没有这个训练" {
				t.Errorf("%v", err)
			}
			<-asked
			l.Follow("x", 1)
			<-asked
			select {
			case <-asked:
				if c.once {
					t.Error("it is asked again")
				}
			case <-time.After(time.Second):
				if !c.once {
					t.Error("it is not asked again")
				}
			}
		})
	}
}
