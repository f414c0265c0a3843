package http

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"hone/core/link"
	"hone/core/wire"
)

// reading is a page that goes on coming.
type reading struct {
	t     *testing.T
	lines chan string
}

func (b *browser) reads(path string) *reading {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), "GET", b.at+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	if policy := res.Header.Get("Content-Security-Policy"); res.StatusCode != 200 || !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe-inline") {
		b.t.Errorf("%d, %s", res.StatusCode, policy)
	}
	p := &reading{b.t, make(chan string, 10000)}
	b.t.Cleanup(func() { res.Body.Close() })
	go func() {
		defer close(p.lines)
		in := bufio.NewScanner(res.Body)
		in.Buffer(nil, 1<<20)
		in.Split(func(data []byte, end bool) (int, []byte, error) { // elements: the page has few lines
			if i := strings.IndexByte(string(data), '>'); i >= 0 {
				return i + 1, data[:i+1], nil
			}
			return 0, nil, nil
		})
		for in.Scan() {
			p.lines <- in.Text()
		}
	}()
	return p
}

// until waits until a text is there; "" is the end. It gives what came.
func (p *reading) until(want string) (came string) {
	p.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if came += line; want != "" && strings.Contains(line, want) || want == "" && !ok {
				return came
			}
			if !ok {
				p.t.Fatalf("it ends without %q: %s", want, came)
			}
		case <-limit:
			p.t.Fatalf("no %q comes: %s", want, came)
		}
	}
}

// The log of a run shows what happens as it happens, in one answer without a script, until the run is over.
func TestLiveLog(t *testing.T) {
	o := openOffice(t)
	o.api.ping = 20 * time.Millisecond
	ada, err := link.Dial(t.Context(), link.Options{URL: o.server.URL, Token: o.ada})
	if err != nil {
		t.Fatal(err)
	}
	defer ada.Close()
	run := o.startTiny(t, ada, o.ada, 100_000)
	b := o.administrator(t)
	path := "/en/server/log?user=ada&run=" + url.QueryEscape(run)
	page := b.reads(path)
	page.until("1 queued {")
	page.until("it goes on")
	o.hire(t)
	page.until("stepped {")
	if _, err := ada.Ask(t.Context(), "steer", wire.Steer{Run: run, Do: "stop"}, nil); err != nil {
		t.Fatal(err)
	}
	rest := page.until("")
	if i, j := strings.Index(rest, "finished {"), strings.Index(rest, "look again"); i < 0 || j < i || !strings.HasSuffix(rest, "</html>") || strings.Contains(rest, "<script>") {
		t.Errorf("the end of the log: %.2000s", rest[max(0, len(rest)-2000):])
	}
	// Of a run that is over, all is there at once, and of a long one the end.
	if whole := b.reads(path).until(""); !strings.Contains(whole, "finished {") || strings.Count(whole, "<li>") > panelEvents {
		t.Errorf("%d events", strings.Count(whole, "<li>"))
	}
}

// A live log ends when its time is up, when the token of who looks is revoked, and when the server ends.
func TestLiveLogEnds(t *testing.T) {
	o := openOffice(t)
	o.api.ping, o.api.live = 20*time.Millisecond, 300*time.Millisecond
	ada, err := link.Dial(t.Context(), link.Options{URL: o.server.URL, Token: o.ada})
	if err != nil {
		t.Fatal(err)
	}
	defer ada.Close()
	path := "/en/server/log?user=ada&run=" + url.QueryEscape(o.startTiny(t, ada, o.ada, 2))
	b := o.administrator(t)
	if whole := b.reads(path).until(""); !strings.Contains(whole, "1 queued {") || !strings.Contains(whole, "look again") {
		t.Error(whole)
	}
	o.api.live = time.Hour
	page := b.reads(path)
	page.until("1 queued {")
	list, err := o.tokens.List()
	if err == nil {
		err = o.tokens.Revoke(list[len(list)-1].ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	page.until("")
	page = o.administrator(t).reads(path)
	page.until("1 queued {")
	o.api.Close()
	page.until("")
}

// A live log does not keep a server from ending.
func TestServerEndsLiveLogs(t *testing.T) {
	o := openOffice(t)
	ada, err := link.Dial(t.Context(), link.Options{URL: o.server.URL, Token: o.ada})
	if err != nil {
		t.Fatal(err)
	}
	defer ada.Close()
	run := o.startTiny(t, ada, o.ada, 2)
	s, err := New(Options{API: o.api})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	b := o.administrator(t)
	b.at = "http://" + l.Addr().String() // cookies are those of a host, whatever its port
	page := b.reads("/en/server/log?user=ada&run=" + url.QueryEscape(run))
	page.until("1 queued {")
	end()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(graceTime - time.Second):
		t.Error("it waits for a live log")
	}
	if rest := page.until(""); !strings.Contains(rest, "look again") {
		t.Errorf("the page is cut: %s", rest)
	}
}
