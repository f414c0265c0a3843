//go:build !js

// Package webtest opens the page in a headless Chromium with a studio behind it that runs in the test: no program of the browser is
// built, so a test can look at every stage within seconds. Only tests import it.
package webtest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hone/core/golden"
	"hone/core/wire"
	"hone/web"
	"hone/web/assets"
	"hone/web/studio"
	"hone/web/studio/studiotest"
)

// policy is that of the server, without the hubs.
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src 'self' data: blob:; style-src 'self'; base-uri 'none'; form-action 'self'"

//go:embed trainer.js
var trainer []byte

// Site serves the page in all its languages. Each tab gets a host of its own.
type Site struct {
	Address string

	t     testing.TB
	host  func() *studiotest.Host
	mu    sync.Mutex
	tabs  map[string]*tab
	ended chan struct{}
}

// tab is the worker's end of an open page.
type tab struct {
	studio *studio.Studio
	host   *studiotest.Host
	out    chan []byte
}

// Serve starts a site whose tabs get their hosts from host.
func Serve(t testing.TB, host func() *studiotest.Host) *Site {
	t.Helper()
	uplot := filepath.Join(golden.Root(t), "node_modules", "uplot", "dist")
	if _, err := os.Stat(uplot); err != nil {
		t.Skip("uPlot is not there; `make deps` brings it")
	}
	s := &Site{t: t, host: host, tabs: map[string]*tab{}, ended: make(chan struct{})}
	mux := http.NewServeMux()
	for _, l := range []string{"en", "zh"} {
		mux.HandleFunc("/"+l+"/{$}", func(w http.ResponseWriter, r *http.Request) {
			var b bytes.Buffer
			if err := web.Page(web.Place{Language: l, Assets: "../a/"}).Render(r.Context(), &b); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write(b.Bytes()) // a page that has gone
		})
	}
	mux.HandleFunc("/a/{name}", func(w http.ResponseWriter, r *http.Request) {
		switch name := r.PathValue("name"); {
		case name == "trainer.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write(trainer)
		case name == "offline.js":
			w.Header().Set("Content-Type", "text/javascript")
		case name == "axe.min.js":
			http.ServeFile(w, r, filepath.Join(golden.Root(t), "node_modules", "axe-core", name))
		case strings.HasPrefix(name, "uPlot"):
			http.ServeFile(w, r, filepath.Join(uplot, filepath.Base(name)))
		default:
			http.ServeFileFS(w, r, assets.Files, name)
		}
	})
	mux.HandleFunc("/a/tab/{id}", s.hear)
	mux.HandleFunc("/a/tab/{id}/updates", s.tell)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		mux.ServeHTTP(w, r)
	}))
	s.Address = server.URL
	t.Cleanup(func() {
		close(s.ended)
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

func (s *Site) tab(id string) *tab {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.tabs[id]
	if b == nil {
		b = &tab{host: s.host(), out: make(chan []byte, 1000)}
		b.studio = studio.New(studio.Options{Link: b.host, Out: func(u studio.Update) {
			raw, err := json.Marshal(struct {
				Type string `json:"type"`
				studio.Update
			}{"update", u})
			if err != nil {
				s.t.Error(err)
			}
			select {
			case b.out <- raw:
			case <-s.ended:
			}
		}})
		b.host.Event = func(f wire.Frame) { b.studio.Told(f) }
		s.tabs[id] = b
	}
	return b
}

// hear takes what the page says.
func (s *Site) hear(w http.ResponseWriter, r *http.Request) {
	var m struct {
		Type string `json:"type"`
		studio.Act
		studio.Opening
	}
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b := s.tab(r.PathValue("id"))
	switch m.Type {
	case "open":
		b.studio.Open(s.t.Context(), m.Opening)
	case "act":
		b.studio.Act(m.Act)
	case "hidden":
	default:
		http.Error(w, "no message is called "+m.Type, http.StatusBadRequest)
	}
}

// tell sends the page its updates, as server-sent events.
func (s *Site) tell(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	b, flush := s.tab(r.PathValue("id")), http.NewResponseController(w)
	for {
		if flush.Flush() != nil {
			return
		}
		select {
		case raw := <-b.out:
			if _, err := fmt.Fprintf(w, "data: %s\n\n", raw); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-s.ended:
			return
		}
	}
}
