package http

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

// weights stand for a large file of a hub.
var weights = bytes.Repeat([]byte{1, 2, 3, 5, 8, 13, 21}, 10_000)

// pair is a hub and the other host that it keeps its files on, both the user's own; last is the last request that came to
// either.
type pair struct {
	hub, store *httptest.Server
	last       map[string]http.Header
}

func newPair(t *testing.T) (*pair, *Server) {
	t.Helper()
	p := &pair{last: map[string]http.Header{}}
	p.store = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.last["store"] = r.Header
		w.Header().Set("Set-Cookie", "from=store")
		w.Header().Set("ETag", `"stored"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(weights))
	}))
	t.Cleanup(p.store.Close)
	mux := http.NewServeMux()
	p.hub = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.last["hub"] = r.Header
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.hub.Close)
	mux.HandleFunc("/api/models/a/b", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Set-Cookie", "from=hub")
		fmt.Fprintf(w, `{"query":%q}`, r.URL.RawQuery)
	})
	mux.HandleFunc("/page.html", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<script src=x.js></script>")
	})
	mux.HandleFunc("/refs/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.EscapedPath()) })
	mux.HandleFunc("/gone", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Error-Code", "EntryNotFound")
		http.Error(w, "no such file", http.StatusNotFound)
	})
	mux.HandleFunc("/torn", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "short")
	})
	to := func(path, target string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Linked-Etag", `"of-the-hub"`)
			w.Header().Set("X-Repo-Commit", "c0ffee")
			http.Redirect(w, r, target, http.StatusFound)
		})
	}
	to("/large", p.store.URL+"/large")
	to("/metadata", "http://169.254.169.254/latest/meta-data/")
	to("/loopback", "http://127.0.0.1:1/")
	to("/elsewhere", "https://evil.example/")
	to("/plain", "http://huggingface.co/")
	to("/port", "https://huggingface.co:8443/")
	to("/file", "file:///etc/passwd")
	to("/round", "/round")
	o := options(t)
	for _, s := range []*httptest.Server{p.hub, p.store} {
		u, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		o.Hubs = append(o.Hubs, u)
	}
	return p, newServer(t, o)
}

// at is the path under which the server hands on what the hub has.
func (p *pair) at(path string) string {
	return "/hub/" + strings.TrimPrefix(p.hub.URL, "http://") + path
}

func TestHubIsHandedOn(t *testing.T) {
	p, s := newPair(t)
	r := ask(s, "GET", p.at("/api/models/a/b?blobs=true&x=%2F"), "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty",
		"Authorization", "Bearer secret", "Cookie", "page=1", "Origin", "http://127.0.0.1:7860", "Referer", "http://127.0.0.1:7860/en/")
	if got := body(t, r); r.StatusCode != 200 || got != `{"query":"blobs=true&x=%2F"}` || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s %v", r.StatusCode, got, r.Header)
	}
	if h := p.last["hub"]; h.Get("Authorization") != "Bearer secret" || h.Get("Cookie")+h.Get("Origin")+h.Get("Referer") != "" || h.Get("User-Agent") != "hone" {
		t.Errorf("the hub was sent %v", h)
	}
	if r.Header.Get("Set-Cookie") != "" || r.Header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" || r.Header.Get("Content-Disposition") != "attachment" {
		t.Errorf("headers %v", r.Header)
	}
	if got := body(t, ask(s, "GET", p.at("/refs/pr%2F1"))); got != "/refs/pr%2F1" {
		t.Errorf("an encoded path arrives as %s", got)
	}
	if r := ask(s, "GET", p.at("/page.html")); r.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("a page of the hub is given as %s", r.Header.Get("Content-Type"))
	}
	if r := ask(s, "GET", p.at("/gone")); r.StatusCode != 404 || r.Header.Get("X-Error-Code") != "EntryNotFound" {
		t.Errorf("what is not there: %d %v", r.StatusCode, r.Header)
	}
}

func TestHubFilesInParts(t *testing.T) {
	p, s := newPair(t)
	r := ask(s, "GET", p.at("/large"), "Range", "bytes=69990-", "If-Range", `"stored"`, "Authorization", "Bearer secret")
	if got := body(t, r); r.StatusCode != http.StatusPartialContent || got != string(weights[69990:]) || r.Header.Get("Content-Range") != "bytes 69990-69999/70000" {
		t.Errorf("a part: %d, %d bytes, %v", r.StatusCode, len(got), r.Header)
	}
	if r.Header.Get("X-Linked-Etag") != `"of-the-hub"` || r.Header.Get("X-Repo-Commit") != "c0ffee" || r.Header.Get("ETag") != `"stored"` {
		t.Errorf("what the hub said of the file is lost: %v", r.Header)
	}
	if h := p.last["store"]; h.Get("Authorization") != "" || h.Get("Range") != "bytes=69990-" {
		t.Errorf("the other host was sent %v", h)
	}
	if r := ask(s, "HEAD", p.at("/large")); r.StatusCode != 200 || r.Header.Get("Content-Length") != "70000" || body(t, r) != "" {
		t.Errorf("HEAD: %d %v", r.StatusCode, r.Header)
	}
	if got := body(t, ask(s, "GET", p.at("/large"))); got != string(weights) {
		t.Error("the whole file differs")
	}
}

func TestHubRefusals(t *testing.T) {
	p, s := newPair(t)
	for _, c := range []struct {
		path   string
		status int
		says   string
	}{
		{"/hub/evil.example/x", 403, "none of the hubs"},
		{"/hub/huggingface.co.evil.example/x", 403, "none of the hubs"},
		{"/hub/evilhuggingface.co/x", 403, "none of the hubs"},
		{"/hub/huggingface.co:8443/x", 403, "none of the hubs"},
		{"/hub/user@huggingface.co/x", 403, "none of the hubs"},
		{"/hub/huggingface.co%2F@evil.example/x", 403, "none of the hubs"},
		{"/hub/evil.example%23huggingface.co/x", 403, "none of the hubs"},
		{"/hub/127.0.0.1:1/x", 403, "none of the hubs"},
		{"/hub/169.254.169.254/latest/meta-data/", 403, "none of the hubs"},
		{"/hub/localhost/x", 403, "none of the hubs"},
		{"/hub//x", 403, "none of the hubs"},
		{"/hub/", 403, "none of the hubs"},
		{p.at("/metadata"), 403, "169.254.169.254"},
		{p.at("/loopback"), 403, "127.0.0.1:1"},
		{p.at("/elsewhere"), 403, "evil.example"},
		{p.at("/plain"), 403, "none of the hubs"},
		{p.at("/port"), 403, "none of the hubs"},
		{p.at("/file"), 403, "none of the hubs"},
		{p.at("/round"), 502, "redirects"},
	} {
		path := c.path
		if strings.HasPrefix(path, "/hub//") {
			path = "/hub/%2F/x" // the other way to name no host; ServeMux cleans the first one away
		}
		r := ask(s, "GET", path)
		if got := body(t, r); r.StatusCode != c.status || !strings.Contains(got, c.says) {
			t.Errorf("%s: %d %s", c.path, r.StatusCode, got)
		}
	}
	for _, h := range [][]string{
		{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "empty"}, {"Sec-Fetch-Site", "same-site", "Sec-Fetch-Dest", "empty"},
		{"Sec-Fetch-Site", "none", "Sec-Fetch-Dest", "document"}, {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "script"},
		{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "iframe"},
	} {
		if r := ask(s, "GET", p.at("/page.html"), h...); r.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %d", h, r.StatusCode)
		}
	}
}

// A name of the list that leads to an address which is not public is refused when it is dialled.
func TestKnownNamesAtPrivateAddresses(t *testing.T) {
	h := newHubs(nil, newServer(t, options(t)).log, anyone)
	h.known = []string{"localhost"}
	r := ask(h, "GET", "/hub/localhost/x")
	if got := body(t, r); r.StatusCode != http.StatusForbidden || !strings.Contains(got, "not public") {
		t.Errorf("%d %s", r.StatusCode, got)
	}
	for _, private := range []string{
		"127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1",
		"255.255.255.255", "240.0.0.1", "192.0.2.1", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1",
		"::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:db8::1", "fec0::1",
	} {
		if public(netip.MustParseAddr(private)) {
			t.Errorf("%s passes as public", private)
		}
	}
	for _, open := range []string{"1.1.1.1", "18.239.50.16", "2600:9000::1", "64:ff9b::101:101", "::ffff:1.1.1.1"} {
		if !public(netip.MustParseAddr(open)) {
			t.Errorf("%s does not pass as public", open)
		}
	}
	if publicOnly("tcp", "nonsense", nil) == nil {
		t.Error("what is no address passes")
	}
}

// What is not the whole file does not look like it.
// Who fetches what others name is led to no private address, but to the hub that its user named.
func TestDialHubs(t *testing.T) {
	p, _ := newPair(t)
	own, err := url.Parse(p.hub.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: DialHubs([]*url.URL{own})}}
	for path, want := range map[string]string{"/gone": "", "/loopback": "not public", "/metadata": "not public", "/large": "not public"} {
		r, err := client.Get(p.hub.URL + path)
		if err == nil {
			r.Body.Close()
		}
		if (want == "") != (err == nil) || want != "" && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestHubThatBreaksOff(t *testing.T) {
	p, s := newPair(t)
	address, _, _ := listening(t, s)
	r, err := http.Get("http://" + address + p.at("/torn"))
	if err != nil {
		return // hung up on before the first byte: as good
	}
	defer r.Body.Close()
	if _, err := bytes.NewBuffer(nil).ReadFrom(r.Body); err == nil {
		t.Error("a file that broke off looks whole")
	}
}

func TestHubThatStopsSending(t *testing.T) {
	wait := make(chan bool)
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.(http.Flusher).Flush()
		<-wait
	}))
	defer hub.Close()
	defer close(wait)
	u, err := url.Parse(hub.URL)
	if err != nil {
		t.Fatal(err)
	}
	h := newHubs([]*url.URL{u}, newServer(t, options(t)).log, anyone)
	h.stall = 50 * time.Millisecond
	front := httptest.NewServer(h)
	defer front.Close()
	r, err := http.Get(front.URL + "/hub/" + u.Host + "/x")
	if err != nil {
		return // hung up on before the first byte: as good
	}
	defer r.Body.Close()
	if n, err := bytes.NewBuffer(nil).ReadFrom(r.Body); err == nil {
		t.Errorf("%d bytes of 1000, and no error", n)
	}
}

func TestHubTakesSoManyAtATime(t *testing.T) {
	p, s := newPair(t)
	h := newHubs(nil, s.log, anyone)
	h.own = map[string]*url.URL{strings.TrimPrefix(p.hub.URL, "http://"): {Scheme: "http", Host: strings.TrimPrefix(p.hub.URL, "http://")}}
	for n := range hubSlots {
		if _, ok := h.enter(map[bool]string{true: "the class", false: "others"}[n < hubSlotsFrom]); !ok {
			t.Fatalf("file %d is one too many", n+1)
		}
		if n+1 == hubSlotsFrom {
			if _, ok := h.enter("the class"); ok {
				t.Error("one address may take all")
			}
		}
	}
	if r := ask(h, "GET", p.at("/gone")); r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d", r.StatusCode)
	}
}

// anyone is the address of requests that need none.
func anyone(*http.Request) string { return "" }
