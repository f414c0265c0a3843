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
