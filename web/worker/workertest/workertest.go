//go:build !js

// Package workertest drives workers of a headless Chromium from tests: it builds Go programs for the browser, serves them
// under the content security policy that the page will have, and opens pages that start them. Only tests import it.
package workertest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hone/core/golden"
	"hone/web/worker"
)

//go:embed page.js program.js
var files embed.FS

// Policy is that of the page and its workers: nothing inline, no eval, nothing from elsewhere.
const Policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'"

// Build compiles for the browser: command is "build" or "test", args follow it. It gives the path of the program.
func Build(t testing.TB, name, command string, args ...string) string {
	t.Helper()
	wasm := filepath.Join(t.TempDir(), name+".wasm")
	build := exec.Command("go", append([]string{command, "-o", wasm}, args...)...)
	build.Dir = golden.Root(t)
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0", "GOEXPERIMENT=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go %s %v for the browser: %v\n%s", command, args, err, out)
	}
	return wasm
}

// Serve serves the workers' files with the given programs and further files, by name, and gives the address. A name that ends in a
// slash is a folder.
func Serve(t testing.TB, more map[string]string) string {
	t.Helper()
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{
		"wasm_exec.js": filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "wasm_exec.js"),
		"webgpu.js":    filepath.Join(golden.Root(t), "core", "device", "webgpu", "driver_js.js"),
	}
	for name, path := range more {
		all[name] = path
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", Policy)
		name := strings.TrimPrefix(r.URL.Path, "/")
		folder, within, _ := strings.Cut(name, "/")
		if dir, ok := all[folder+"/"]; ok {
			http.ServeFileFS(w, r, os.DirFS(dir), within)
			return
		}
		switch path, ok := all[name]; {
		case name == "" || name == "favicon.ico":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>worker</title><script src="page.js"></script></html>`)
		case ok:
			http.ServeFile(w, r, path)
		case name == "page.js" || name == "program.js":
			http.ServeFileFS(w, r, files, name)
		default:
			http.ServeFileFS(w, r, worker.Files, name)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Browser is a running Chromium with a profile of its own.
type Browser struct {
	t   testing.TB
	ctx context.Context
}

// Start starts Chromium, with flags beside the usual ones; it ends with the test. Without one the test is skipped, or fails where
// HONE_REQUIRE_WEBGPU is set.
func Start(t testing.TB, flags ...chromedp.ExecAllocatorOption) *Browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("HONE_REQUIRE_WEBGPU") != "" {
			t.Fatal("no Chromium is installed; the browser tests need one (package chromium)")
		}
		t.Skip("no Chromium is installed")
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append([]chromedp.ExecAllocatorOption{ // which makes the profile and removes it
		chromedp.ExecPath(path),
		chromedp.Flag("headless", "new"),
		chromedp.NoSandbox,
		chromedp.Flag("enable-unsafe-webgpu", true),
		chromedp.Flag("use-webgpu-adapter", "swiftshader"),
		chromedp.Flag("disable-quic", true),
		chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
	}, flags...)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("browser: %v", err)
	}
	return &Browser{t, ctx}
}

// Page is a tab.
type Page struct {
	t      testing.TB
	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex
	errors []string
	known  []string
}

// Open opens the page that starts a worker script. The page's errors, violations of the policy among them, fail the test.
func (b *Browser) Open(address, script string) *Page {
	b.t.Helper()
	p := b.Visit(address + "/?worker=" + script)
	return p
}

// Visit opens an address in a new tab.
func (b *Browser) Visit(address string) *Page {
	b.t.Helper()
	p := &Page{t: b.t}
	p.ctx, p.cancel = chromedp.NewContext(b.ctx)
	messages := chromedp.Console(p.ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.IsException() {
				p.mu.Lock()
				p.errors = append(p.errors, fmt.Sprintf("%s (%s:%d)", m.Text, m.URL, m.Line))
				p.mu.Unlock()
			}
		}
	}()
	if err := chromedp.Do(p.ctx, chromedp.Navigate(address)); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
	return p
}

// Context is that of the tab, for chromedp's own actions.
func (p *Page) Context() context.Context { return p.ctx }

// Close closes the tab as a user does, whatever its worker is at, and fails the test for errors on the console.
func (p *Page) Close() {
	p.t.Helper()
	p.Check()
	p.cancel()
}

// Expect lets errors pass that contain a text: the browser writes some of them for what the page gets over by itself.
func (p *Page) Expect(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = append(p.known, text)
}

// Check fails the test for errors on the console.
func (p *Page) Check() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.errors {
		if slices.ContainsFunc(p.known, func(text string) bool { return strings.Contains(e, text) }) {
			continue
		}
		p.t.Errorf("on the page's console: %s", e)
	}
	p.errors = nil
}

// Eval evaluates JavaScript in the page; a promise is waited for.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("in the page: %v: %.200s", err, expression)
	}
	return v
}

// Wait polls until a JavaScript expression, or its promise, is true.
func (p *Page) Wait(expression string, limit time.Duration) bool {
	p.t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		is, err := p.look("(async () => Boolean(await (" + expression + ")))()")
		if thrown := (*chromedp.ExceptionError)(nil); errors.As(err, &thrown) || p.ctx.Err() != nil {
			p.t.Fatalf("in the page: %v: %.200s", err, expression)
		}
		if is {
			return true
		}
		if time.Now().After(end) {
			if err != nil {
				p.t.Errorf("in the page: %v: %.200s", err, expression)
			}
			return false
		}
	}
}

// look evaluates once, for a while: a page that is about to go on to another may take a question to its grave.
func (p *Page) look(expression string) (bool, error) {
	ctx, done := context.WithTimeout(p.ctx, 8*time.Second)
	defer done()
	return chromedp.Run(ctx, chromedp.Evaluate[bool](expression, chromedp.EvalAwaitPromise))
}

// Program runs a Go test binary, served under its name, in a worker, and gives its output and whether it passed.
func (b *Browser) Program(address, name string, args ...string) (output string, passed bool) {
	b.t.Helper()
	query := "program.js?program=" + name
	for _, a := range args {
		query += "&arg=" + a
	}
	p := b.Open(address, strings.ReplaceAll(query, "&", "%26"))
	defer p.Close()
	if !p.Wait("messages.length > 0", 4*time.Minute) {
		b.t.Fatalf("%s does not end", name)
	}
	got := Eval[struct {
		Error, Output string
		Status        int
	}](p, "messages[0]")
	return got.Output + got.Error, got.Error == "" && got.Status == 0
}
