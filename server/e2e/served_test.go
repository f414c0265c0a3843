//go:build soak && !js

package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"hone/web/worker/workertest"
)

// slow stands before a server and lets no more than some bytes of the files pass that begin at their beginning, until it is let go.
type slow struct {
	suffix string // of the files
	bytes  int
	free   chan struct{}

	mu    sync.Mutex
	asked []string // the ranges of those that were asked for
}

func (s *slow) before(t testing.TB, address string) string {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(to)
	pass.FlushInterval = -1
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, s.suffix) {
			s.mu.Lock()
			s.asked = append(s.asked, r.Header.Get("Range"))
			s.mu.Unlock()
			if r.Header.Get("Range") == "" {
				w = &heldBack{ResponseWriter: w, s: s, t: t}
			}
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// heldBack is an answer that is held back.
type heldBack struct {
	http.ResponseWriter
	t    testing.TB
	s    *slow
	sent int
}

func (h *heldBack) Write(p []byte) (int, error) {
	n := min(len(p), max(0, h.s.bytes-h.sent))
	k, err := h.ResponseWriter.Write(p[:n])
	h.sent += k
	if err != nil || n == len(p) {
		return k, err
	}
	http.NewResponseController(h.ResponseWriter).Flush()
	held(h.t, h.s.free)
	m, err := h.ResponseWriter.Write(p[n:])
	return k + m, err
}

func (h *heldBack) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// Models that the page's server gives out are cards; one is brought here and trained. The tab is reloaded in the middle of its
// weights: what is missing is still offered, and only the rest is asked for again.
func TestEndToEndModelsOfTheServer(t *testing.T) {
	const name, first = "class/little", 100_000
	models := t.TempDir()
	dir := filepath.Join(models, filepath.FromSlash(name))
	newModel(t, dir, 4)
	s := &slow{suffix: "/models/" + name + "/" + weights, bytes: first, free: make(chan struct{})}
	served, _ := serving(t, "--models", models)
	address := s.before(t, served)
	p := open(t, workertest.Start(t, noGPU...), address+"/zh/")
	defer p.Close()
	p.press("fetch-" + name)
	p.has("."+weights+".part", first)
	if err := chromedp.Do(p.Context(), chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
	close(s.free)
	p.ready()
	p.press("rest-server:" + name)
	p.uses(name)
	if card := workertest.Eval[bool](p.Page, fmt.Sprintf(`document.getElementById("fetch-%s") !== null`, name)); card {
		t.Error("what is here is still offered")
	}
	if want := []string{"", fmt.Sprintf("bytes=%d-", first)}; !slices.Equal(s.asked, want) {
		t.Errorf("the weights are asked for with the ranges %q, want %q", s.asked, want)
	}
	p.trains("/models/"+name, dir)
}
