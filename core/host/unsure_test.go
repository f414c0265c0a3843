//lint:file-ignore SA1019 nhooyr.io/websocket is the name in the house plan; the same code goes on as github.com/coder/websocket

package host

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"nhooyr.io/websocket"

	"hone/core/link"
	"hone/core/wire"
)

// failing is a server that answers what a test says, and has all files as long as it does not say otherwise.
type failing struct {
	*httptest.Server
	answer func(f wire.Frame) (any, *wire.Refused)

	mu    sync.Mutex
	asked []string // what was asked, and "file" for each time that somebody sent one or asked for one
}

func openFailing(t *testing.T, answer func(f wire.Frame) (any, *wire.Refused)) *failing {
	s := &failing{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *failing) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, what)
}

func (s *failing) count(what string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.asked {
		if x == what {
			n++
		}
	}
	return n
}

func (s *failing) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != link.Path {
		s.note("file")
		w.Header().Set(link.HeaderHave, "0")
		w.Header().Set(link.HeaderWhole, "true")
		return
	}
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		_, raw, err := c.Read(r.Context())
		var f wire.Frame
		if err != nil || json.Unmarshal(raw, &f) != nil {
			return
		}
		out := wire.Frame{V: wire.Version, Kind: wire.KindReply, ID: f.ID, Data: json.RawMessage(`{}`)}
		if f.Name != (wire.Login{}).Name() {
			s.note(f.Name)
			v, no := s.answer(f)
			if out.Data, _ = json.Marshal(v); no != nil { // plain values
				out.Error, out.Status, out.Data = no.Text, no.Status, nil
			}
		}
		raw, _ = json.Marshal(out)
		if c.Write(r.Context(), websocket.MessageText, raw) != nil {
			return
		}
	}
}

// A server that fails when a run comes may have it all the same. The run goes on here only if it has not, and there if it has, and nowhere
// as long as the server does not say.
func TestMoveToFailing(t *testing.T) {
	fails := &wire.Refused{Status: 500, Text: "The server could not do this."}
	none := &wire.Refused{Status: 404, Text: "there is no run of yours"}
	var id, start, has string // what the server does with a Start, and what it has
	var mu sync.Mutex
	s := openFailing(t, func(f wire.Frame) (any, *wire.Refused) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case f.Name == "start" && start == "takes":
			return wire.RunName{Run: id}, nil
		case f.Name == "start", has == "unknown":
			return nil, fails
		case f.Name == "runs" && has == "none":
			return nil, none
		case f.Name == "runs":
			return wire.RunList{Runs: []wire.Run{{ID: id, Status: has}}}, nil
		}
		return wire.Told{}, nil
	})
	set := func(a, b string) { mu.Lock(); defer mu.Unlock(); start, has = a, b }
	h := open(t, t.TempDir(), func(o *Options) { o.Reach = 300 * time.Millisecond })
	begun := ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"max_steps": 10000})}).Run
	mu.Lock()
	id = begun
	mu.Unlock()
	h.until("stepped")
	up := wire.Move{Run: begun, On: wire.Server{URL: s.URL}}
	forgetting := func() { h.mu.Lock(); defer h.mu.Unlock(); h.events = nil }

	set("fails", "none")
	if said := refusal(h, up); !strings.Contains(said, "goes on here") {
		t.Errorf("it has not arrived: %s", said)
	}
	forgetting()
	h.until("stepped")
	set("fails", "queued")
	ask[wire.RunName](h, up)
	if f := h.awayRun(begun); f == nil || f.away.There != there {
		t.Fatal("it has arrived, and goes on here")
	}
	ask[wire.RunName](h, wire.Move{Run: begun, Away: true})
	forgetting()
	h.until("stepped")
	set("fails", "unknown")
	if said := refusal(h, up); !strings.Contains(said, "the run waits") {
		t.Error(said)
	}
	if f := h.awayRun(begun); f == nil {
		t.Fatal("it goes on here, and perhaps there")
	}
	h.until("linked")
	forgetting()
	before := s.count("file")
	set("takes", "queued")
	h.until("moved")
	if sent := s.count("file") - before; sent > 0 {
		t.Errorf("the server has it, and %d files are sent", sent)
	}
	ask[wire.RunName](h, wire.Move{Run: begun, Away: true})
	ask[struct{}](h, wire.Steer{Run: begun, Do: "stop"})
}
