//go:build !js

package worker_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"hone/core/link"
	"hone/core/wire"
	"hone/web/worker/workertest"
)

// TestLinkInAPage runs core/link's test for GOOS=js in a worker, and looks at what its server sees: a connection that goes silent is
// replaced, and the browser keeps none that the link has left.
func TestLinkInAPage(t *testing.T) {
	files, err := url.Parse(workertest.Serve(t, map[string]string{"link.test.wasm": workertest.Build(t, "link.test", "test", "-c", "./core/link")}))
	if err != nil {
		t.Fatal(err)
	}
	var connections atomic.Int32
	ends := make(chan error, 10)
	mux := http.NewServeMux()
	mux.Handle("/", httputil.NewSingleHostReverseProxy(files))
	mux.HandleFunc(link.Path, func(w http.ResponseWriter, r *http.Request) {
		conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		n := connections.Add(1)
		const every = 200 * time.Millisecond
		write := make(chan wire.Frame, 10)
		over := make(chan struct{})
		defer close(over)
		go func() {
			for n > 1 {
				select {
				case <-over:
					return
				case <-time.After(every):
					write <- wire.Frame{Kind: wire.KindPart, Name: wire.Alive{}.Name()}
				}
			}
		}()
		go func() {
			for {
				select {
				case <-over:
					return
				case f := <-write:
					f.V = wire.Version
					_ = conn.WriteJSON(f) // who has gone is found below
				}
			}
		}()
		for {
			var f wire.Frame
			if err := conn.ReadJSON(&f); err != nil {
				ends <- err
				return
			}
			switch {
			case f.Name == wire.Login{}.Name():
				raw, _ := json.Marshal(wire.Welcome{Alive: every.Milliseconds()}) // plain values
				write <- wire.Frame{Kind: wire.KindReply, Data: raw}
			case n > 1:
				write <- wire.Frame{Kind: wire.KindReply, ID: f.ID, Data: json.RawMessage(`{"runs":[]}`)}
			}
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	output, passed := workertest.Start(t).Program(server.URL, "link.test", server.URL)
	if !passed || !strings.Contains(output, "--- PASS: TestSilentWay") {
		t.Errorf("in the worker:\n%s", output)
	}
	for range 2 {
		select {
		case err := <-ends:
			if !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
				t.Errorf("a connection ends with %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the browser keeps a connection that the link has left")
		}
	}
}
