//lint:file-ignore SA1019 nhooyr.io/websocket is the name in the house plan; the same code goes on as github.com/coder/websocket

package host

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nhooyr.io/websocket"

	"hone/core/link"
	"hone/core/wire"
)

// While a run is on its way to a server, nobody else moves it, and it does not begin here.
func TestMoveOnce(t *testing.T) {
	come, gone := make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		come <- struct{}{}
		<-gone
	}))
	defer server.Close()
	h := open(t, t.TempDir(), func(o *Options) { o.Reach = time.Second })
	id := ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"max_steps": 10000})}).Run
	ask[struct{}](h, wire.Steer{Run: id, Do: "stop"})
	h.until("finished")
	over := make(chan error)
	go func() {
		_, err := h.Ask(t.Context(), "move", wire.Move{Run: id, On: wire.Server{URL: server.URL}}, nil)
		over <- err
	}()
	<-come
	for _, r := range []wire.Request{wire.Move{Run: id, On: wire.Server{URL: server.URL}}, wire.Resume{Run: id}} {
		if said := refusal(h, r); !strings.Contains(said, "just being moved") {
			t.Errorf("%s: %s", r.Name(), said)
		}
	}
	close(gone)
	if err := <-over; err == nil {
		t.Error("it has moved to nobody")
	}
	ask[wire.RunName](h, wire.Resume{Run: id})
	ask[struct{}](h, wire.Steer{Run: id, Do: "stop"})
}

// A server that is gone when the run has ended here does not keep it: the run goes on here after a while.
func TestMoveToNobody(t *testing.T) {
	var dials atomic.Int32
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != link.Path { // it has all files
			w.Header().Set(link.HeaderHave, "0")
			w.Header().Set(link.HeaderWhole, "true")
			return
		}
		if dials.Add(1) > 1 {
			<-gone
			return
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		if _, _, err := c.Read(r.Context()); err != nil {
			return
		}
		welcome, _ := json.Marshal(wire.Frame{V: wire.Version, Kind: wire.KindReply, Data: json.RawMessage(`{}`)}) // plain values
		c.Write(r.Context(), websocket.MessageText, welcome)
		c.Read(r.Context())
	}))
	defer server.Close()
	defer close(gone)
	h := open(t, t.TempDir(), func(o *Options) { o.Reach = 300 * time.Millisecond })
	id := ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"max_steps": 10000})}).Run
	h.until("stepped")
	began := time.Now()
	if said := refusal(h, wire.Move{Run: id, On: wire.Server{URL: server.URL}}); !strings.Contains(said, "goes on here") {
		t.Error(said)
	}
	if took := time.Since(began); took > 30*time.Second || dials.Load() < 2 {
		t.Errorf("after %v and %d connections", took, dials.Load())
	}
	h.mu.Lock()
	h.events = nil
	h.mu.Unlock()
	h.until("stepped")
	ask[struct{}](h, wire.Steer{Run: id, Do: "stop"})
}
