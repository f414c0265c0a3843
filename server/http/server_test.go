package http

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"

	"hone/web/dist"
)

// program stands for a large file that compresses well.
var program = bytes.Repeat([]byte("a program for the browser "), 40_000)

// release packs a small one.
func release(t *testing.T) *dist.Release {
	t.Helper()
	r, err := dist.Packer{Into: t.TempDir(), Cache: t.TempDir(), Quality: 5}.Pack(map[string][]byte{
		"trainer.wasm": program, "page.js": []byte("// nothing"), "bundle/model/config.json": []byte("{}"), "language.js": []byte("//"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func page(_ context.Context, w io.Writer, p Place) error {
	_, err := fmt.Fprintf(w, `<!doctype html><html lang=%q><title>page</title><script src="%spage.js"></script>%s`, p.Language, p.Assets, p.Policy)
	return err
}

func options(t *testing.T) Options { return Options{Release: release(t), Page: page} }

func newServer(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask sends a request with headers given as name, value, name, value…; the header Host is the request's.
func ask(h http.Handler, method, path string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	r.Host = "127.0.0.1:7860"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestTwoLanguages(t *testing.T) {
	s := newServer(t, options(t))
	for accept, want := range map[string]string{
		"": "/en/", "zh-CN,zh;q=0.9,en;q=0.8": "/zh/", "zh-Hant-TW": "/zh/", "de-DE,de": "/en/", "fr,zh;q=0.5": "/zh/", "en-GB;q=0.7,zh;q=0.3": "/en/", ";;;q=ä,": "/en/",
	} {
		r := ask(s, "GET", "/?recipe=x", "Accept-Language", accept)
		if got := r.Header.Get("Location"); r.StatusCode != http.StatusFound || got != want+"?recipe=x" || r.Header.Get("Vary") != "Accept-Language" {
			t.Errorf("/ for %q: %d to %s, want %s", accept, r.StatusCode, got, want)
		}
	}
	if r := ask(s, "GET", "/zh"); r.Header.Get("Location") != "/zh/" {
		t.Errorf("/zh: %d to %s", r.StatusCode, r.Header.Get("Location"))
	}
	for _, language := range []string{"en", "zh"} {
		r := ask(s, "GET", "/"+language+"/")
		text := body(t, r)
		if r.StatusCode != 200 || !strings.Contains(text, "lang=\""+language+"\"") || !strings.Contains(text, `src="../a/`) || strings.Contains(text, "default-src") {
			t.Errorf("/%s/: %d %s", language, r.StatusCode, text)
		}
		if r.Header.Get("Cache-Control") != "no-cache" || r.Header.Get("ETag") == "" || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("/%s/: headers %v", language, r.Header)
		}
		if again := ask(s, "GET", "/"+language+"/", "If-None-Match", r.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("/%s/ again: %d", language, again.StatusCode)
		}
	}
	for _, path := range []string{"/de/", "/en/x", "/a/", "/a/0123456789abcdef/page.js", "/hub", "/models/", "/favicon.ico"} {
		if r := ask(s, "GET", path); r.StatusCode == 200 {
			t.Errorf("%s is served", path)
		}
	}
	if text := body(t, ask(s, "GET", "/sw.js")); !strings.HasPrefix(text, "const release = {") || !strings.Contains(text, `"en/"`) || !strings.Contains(text, "/bundle/model/config.json") {
		t.Errorf("sw.js begins with %.200s", text)
	}
}

func TestAssets(t *testing.T) {
	o := options(t)
	s := newServer(t, o)
	at := "/" + assetsOf(t, o)
	unpack := map[string]func(io.Reader) io.Reader{
		"":   func(r io.Reader) io.Reader { return r },
		"br": func(r io.Reader) io.Reader { return brotli.NewReader(r) },
		"gzip": func(r io.Reader) io.Reader {
			z, err := gzip.NewReader(r)
			if err != nil {
				t.Fatal(err)
			}
			return z
		},
	}
	for accept, want := range map[string]string{
		"": "", "gzip, deflate, br, zstd": "br", "gzip": "gzip", "GZIP;q=1.0, br;q=0": "gzip", "identity": "", "*": "br", "br;q=x": "",
	} {
		r := ask(s, "GET", at+"trainer.wasm", "Accept-Encoding", accept, "Range", "bytes=0-1000000")
		got := r.Header.Get("Content-Encoding")
		raw, err := io.ReadAll(unpack[got](r.Body))
		if got != want || err != nil || !bytes.HasPrefix(program, raw) || len(raw) < 1_000_001 {
			t.Errorf("Accept-Encoding %q: %q, %d bytes, %v", accept, got, len(raw), err)
		}
		if r.Header.Get("Content-Type") != "application/wasm" || r.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || r.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("headers %v", r.Header)
		}
		if n := r.Header.Get("Content-Length"); n == "" {
			t.Errorf("Accept-Encoding %q: no length", accept)
		}
	}
	if r := ask(s, "GET", at+"bundle/model/config.json", "Accept-Encoding", "br"); body(t, r) != "{}" {
		t.Error("a small file is not given as it is")
	}
	if r := ask(s, "HEAD", at+"page.js"); r.StatusCode != 200 || body(t, r) != "" {
		t.Errorf("HEAD: %d", r.StatusCode)
	}
	for _, path := range []string{"nothing.js", "release.json", "../page.js", "bundle", "bundle/"} {
		if r := ask(s, "GET", at+path); r.StatusCode == 200 {
			t.Errorf("%s is served", path)
		}
	}
}

func TestEveryAnswerIsProtected(t *testing.T) {
	o := options(t)
	o.Connect = []string{"https://gpu.example", "wss://gpu.example"}
	s := newServer(t, o)
	for _, path := range []string{"/", "/en/", "/sw.js", "/" + assetsOf(t, o) + "page.js", "/nothing", "/health"} {
		h := ask(s, "GET", path).Header
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "script-src 'self' 'wasm-unsafe-eval';", "connect-src 'self' https://gpu.example wss://gpu.example https://huggingface.co ",
			"https://*.modelscope.cn", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'",
		} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy has no %q: %s", path, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe-inline") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" ||
			h.Get("Cross-Origin-Opener-Policy") != "same-origin" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
}

func TestForeignNamesAreRefused(t *testing.T) {
	s := newServer(t, options(t))
	for _, host := range []string{"127.0.0.1", "127.0.0.1:7860", "localhost:9", "LOCALHOST", "[::1]:7860", "127.8.8.8"} {
		if r := ask(s, "GET", "/health", "Host", host); r.StatusCode != 200 {
			t.Errorf("%s: %d", host, r.StatusCode)
		}
	}
	for _, host := range []string{"evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost.evil.example:80", "192.168.1.2:7860", "", "[::]", "0.0.0.0:7860", "localhost:80:80"} {
		if r := ask(s, "GET", "/health", "Host", host); r.StatusCode != http.StatusMisdirectedRequest || !strings.Contains(body(t, r), "localhost") {
			t.Errorf("%s: %d", host, r.StatusCode)
		}
	}
}

func TestMethodsAndBodiesAreRefused(t *testing.T) {
	s := newServer(t, options(t))
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH"} {
		if r := ask(s, method, "/en/"); r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d", method, r.StatusCode)
		}
	}
	r := httptest.NewRequest("GET", "/en/", strings.NewReader("a body"))
	r.Host = "localhost"
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body: %d", w.Code)
	}
}

// listening starts the server on a port of its own and gives its address; ends says what Serve returned.
func listening(t *testing.T, s *Server) (address string, stop func(), ended chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended = make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	return l.Addr().String(), cancel, ended
}

func TestWhoSaysNothingIsHungUpOn(t *testing.T) {
	s := newServer(t, options(t))
	s.header = 100 * time.Millisecond
	address, stop, ended := listening(t, s)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow")
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if answer, err := io.ReadAll(c); err != nil || strings.Contains(string(answer), "200") {
		t.Errorf("half a request: %q, %v", answer, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWhoTakesNothingIsHungUpOn(t *testing.T) {
	s := newServer(t, options(t))
	s.stall = 100 * time.Millisecond
	given := make(chan error, 1)
	s.mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(program); err != nil {
				given <- err
				return
			}
		}
	})
	address, stop, ended := listening(t, s)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
	select {
	case <-given:
	case <-time.After(20 * time.Second):
		t.Error("a client that reads nothing holds the server")
	}
	stop()
	<-ended
}

// An answer under way comes to its end when the server is told to end; new ones are not begun.
func TestEndsGracefully(t *testing.T) {
	s := newServer(t, options(t))
	begun, goOn := make(chan bool), make(chan bool)
	s.mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-goOn
		fmt.Fprint(w, "whole")
	})
	address, stop, ended := listening(t, s)
	answered := make(chan string, 1)
	go func() {
		r, err := http.Get("http://" + address + "/slow")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer r.Body.Close()
		text, _ := bufio.NewReader(r.Body).ReadString(0)
		answered <- text
	}()
	<-begun
	stop()
	time.Sleep(50 * time.Millisecond)
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("still listening")
	}
	close(goOn)
	if got := <-answered; got != "whole" {
		t.Errorf("the answer under way: %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A server whose engine is away says that it is not ready, so that no traffic is sent to it, and that it lives.
func TestNotReady(t *testing.T) {
	o := openOffice(t)
	o.api.Broker.Close()
	for path, want := range map[string]int{"/ready": http.StatusServiceUnavailable, "/health": http.StatusOK} {
		r, err := http.Get(o.server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, r.StatusCode, want)
		}
	}
}
