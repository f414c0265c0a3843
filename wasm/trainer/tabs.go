//go:build js

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall/js"
	"time"

	"hone/core/host"
	"hone/core/wire"
	"hone/web/studio"
)

// tab is this worker among those of other tabs. One of them has the workspace; the others speak to it over a BroadcastChannel, with
// the frames that the page and its worker use, and one of them takes over when it ends. A tab is a wire.Link for its own page.
type tab struct {
	options host.Options
	page    *studio.Studio
	channel js.Value
	me      string            // among the tabs
	mirrors map[string]string // see studio.Opening
	raw     atomic.Bool       // the page speaks in frames
	begun   chan struct{}     // closed once it is known which tab has the workspace

	mu       sync.Mutex
	host     *host.Host // of this tab; nil: another one has the workspace
	sessions map[string]*host.Session
	last     uint64
	asked    map[uint64]question // of the other tab
}

type question struct {
	part func(name string, data json.RawMessage)
	done chan wire.Frame
}

// envelope is what goes over the channel.
type envelope struct {
	From  string            `json:"from,omitempty"` // to the host
	To    string            `json:"to,omitempty"`   // from the host, for one tab; without it for all
	Host  bool              `json:"host,omitempty"` // a tab has become the host
	Env   map[string]string `json:"env,omitempty"`  // where hubs are, and their tokens, as a user has said in one of the tabs
	Frame *wire.Frame       `json:"frame,omitempty"`
}

// begin becomes the host, or watches until it can become it.
func (t *tab) begin() {
	t.me = js.Global().Get("crypto").Call("randomUUID").String()
	t.sessions, t.asked = map[string]*host.Session{}, map[uint64]question{}
	t.channel = js.Global().Get("BroadcastChannel").New("hone")
	t.channel.Set("onmessage", js.FuncOf(func(_ js.Value, args []js.Value) any {
		var e envelope
		if err := json.Unmarshal([]byte(args[0].Get("data").String()), &e); err == nil {
			go t.heard(e)
		}
		return nil
	}))
	if t.becomeHost() {
		return
	}
	post("watching", map[string]any{})
	go func() {
		for !t.becomeHost() {
			time.Sleep(300 * time.Millisecond)
		}
	}()
}

// own makes this tab the host.
func (t *tab) own(h *host.Host) {
	t.mu.Lock()
	t.host = h
	t.mu.Unlock()
	h.Watch(func(f wire.Frame) {
		t.cast(envelope{Frame: &f})
		t.told(f)
	})
	t.cast(envelope{Host: true})
	t.forsaken()
	post("host", map[string]any{})
}

// told hears the events of the host, wherever it is.
func (t *tab) told(f wire.Frame) {
	if f.Kind == wire.KindEvent {
		t.page.Told(f)
	}
	if t.raw.Load() {
		post("frame", map[string]any{"frame": f})
	}
}

// surround changes where hubs are, and their tokens.
func (t *tab) surround(env map[string]string) {
	for name, value := range env {
		os.Setenv(name, cmp.Or(value, t.mirrors[name]))
	}
}

func (t *tab) cast(e envelope) {
	raw, err := json.Marshal(e)
	if err != nil {
		panic(err) // frames are JSON
	}
	t.channel.Call("postMessage", string(raw))
}

// heard takes what another tab said.
func (t *tab) heard(e envelope) {
	t.mu.Lock()
	h := t.host
	t.mu.Unlock()
	switch {
	case e.Host:
		t.forsaken()
	case e.Env != nil:
		t.surround(e.Env)
	case h != nil && e.From != "" && e.Frame != nil:
		t.session(h, e.From).Take(*e.Frame)
	case h == nil && e.Frame != nil && (e.To == t.me || e.To == "" && e.From == ""):
		t.answered(*e.Frame)
	}
}

// session is the host's with another tab.
func (t *tab) session(h *host.Host, of string) *host.Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sessions[of]
	if s == nil {
		s = h.Serve(func(f wire.Frame) {
			if f.Kind != wire.KindEvent { // which all have heard
				t.cast(envelope{To: of, Frame: &f})
			}
		})
		t.sessions[of] = s
	}
	return s
}

// answered takes a frame of the host in another tab.
func (t *tab) answered(f wire.Frame) {
	if f.Kind == wire.KindEvent {
		t.told(f)
		return
	}
	t.mu.Lock()
	q, ok := t.asked[f.ID]
	if f.Kind == wire.KindReply {
		delete(t.asked, f.ID)
	}
	t.mu.Unlock()
	switch {
	case !ok:
	case f.Kind == wire.KindPart && q.part != nil:
		q.part(f.Name, f.Data)
	case f.Kind == wire.KindReply:
		q.done <- f
	}
}

// forsaken ends what was asked of a host that is gone.
func (t *tab) forsaken() {
	t.mu.Lock()
	asked := t.asked
	t.asked = map[uint64]question{}
	t.mu.Unlock()
	for _, q := range asked {
		q.done <- wire.Frame{Error: "the tab that did the work was closed meanwhile; ask again"}
	}
}

// Ask asks the host, wherever it is.
func (t *tab) Ask(ctx context.Context, name string, request any, part func(string, json.RawMessage)) (json.RawMessage, error) {
	t.mu.Lock()
	h := t.host
	if h != nil {
		t.mu.Unlock()
		return h.Ask(ctx, name, request, part)
	}
	t.last++
	id, q := t.last, question{part, make(chan wire.Frame, 1)}
	t.asked[id] = q
	t.mu.Unlock()
	data, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("the request %s: %w", name, err)
	}
	t.cast(envelope{From: t.me, Frame: &wire.Frame{V: wire.Version, Kind: wire.KindRequest, ID: id, Name: name, Data: data}})
	select {
	case f := <-q.done:
		return f.Data, f.Refusal()
	case <-ctx.Done():
		t.cast(envelope{From: t.me, Frame: &wire.Frame{V: wire.Version, Kind: wire.KindRequest, ID: id, Name: wire.Cancel{}.Name()}})
		return nil, ctx.Err()
	}
}

// frame does what a request of the page's own asks for: tests and tools speak so.
func (t *tab) frame(f wire.Frame) {
	t.raw.Store(true)
	if f.Kind != wire.KindRequest {
		return
	}
	reply := wire.Frame{V: wire.Version, Kind: wire.KindReply, ID: f.ID}
	r, err := wire.ParseRequest(f.Name, f.Data)
	if err == nil {
		reply.Data, err = t.Ask(context.Background(), f.Name, r, func(name string, data json.RawMessage) {
			t.told(wire.Frame{V: wire.Version, Kind: wire.KindPart, ID: f.ID, Name: name, Data: data})
		})
	}
	if err != nil {
		reply.Refuse(err)
	}
	t.told(reply)
}

// keep saves the run that goes on here, for now: the page may come back.
func (t *tab) keep() {
	t.mu.Lock()
	h := t.host
	t.mu.Unlock()
	if h != nil {
		_, _ = h.Ask(context.Background(), wire.Steer{}.Name(), wire.Steer{Do: "keep"}, nil) // without a run there is nothing to keep
	}
}
