//go:build !js

package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hone/web/worker/workertest"
)

// files is a web host that knows nothing but files, and gives out a site below a path.
func files(t *testing.T, dir, below string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(below, http.StripPrefix(below, http.FileServer(http.Dir(dir))))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// controlled says that a service worker serves the page and has all its files.
const controlled = `navigator.serviceWorker.controller && navigator.serviceWorker.controller.state === "activated"`

// insecure asks that a page over plain http, to which a browser gives neither files nor a graphics card, says so in its language.
func insecure(t *testing.T, port string) {
	b := workertest.Start(t, append(noGPU, chromedp.Flag("host-resolver-rules", "MAP class.example 127.0.0.1"))...)
	for _, c := range []struct{ language, says string }{{"en", "only over https"}, {"zh", "只允许 https"}} {
		p := &tab{b.Visit("http://class.example:" + port + "/class/" + c.language + "/"), t}
		p.until(soon, "a word of it", `document.querySelector("#failure:not([hidden])")`)
		if text := p.text("failure"); !strings.Contains(text, c.says) {
			t.Errorf("in %s the page says %q", c.language, text)
		}
		p.Close()
	}
}

// The static site, on a host that knows nothing but files and below a path: after one visit it works without the host, and trains.
func TestEndToEndWithoutANetwork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "site")
	output(t, t.TempDir(), "site", dir)
	host := files(t, dir, "/class/")
	_, port, _ := strings.Cut(strings.TrimPrefix(host.URL, "http://"), ":")
	insecure(t, port)
	p := open(t, workertest.Start(t, noGPU...), host.URL+"/class/")
	defer p.Close()
	if at := workertest.Eval[string](p.Page, "location.pathname"); at != "/class/en/" && at != "/class/zh/" {
		t.Errorf("the front page leads to %s", at)
	}
	p.until(2*time.Minute, "kept for use without a network", controlled)
	host.Close()
	for _, path := range []string{"/class/zh/", "/class/en/", "/class/"} {
		if err := chromedp.Do(p.Context(), chromedp.Navigate(host.URL+path)); err != nil {
			t.Fatalf("%s without the host: %v", path, err)
		}
		p.ready()
	}
	p.press("train-now")
	p.until(3*time.Minute, "training without the host", stepped(3))
	p.press("stop")
	p.until(soon, "stopped", `document.getElementById("resume")`)
}
