package http

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"hone/core/link"
	"hone/core/wire"
	"hone/server/auth"
)

// journal is a log that several write and one reads.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// take waits for a line with all of these, and gives what was written since it was called last.
func (j *journal) take(wanted ...string) string {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		j.mu.Lock()
		text := j.text.String()
		found := false
		for line := range strings.Lines(text) {
			found = found || all(line, wanted)
		}
		if found || time.Since(began) > 5*time.Second {
			j.text.Reset()
			j.mu.Unlock()
			return text
		}
		j.mu.Unlock()
	}
}

func all(line string, wanted []string) bool {
	for _, w := range wanted {
		if !strings.Contains(line, w) {
			return false
		}
	}
	return true
}

// Who runs a server reads in its log that somebody was refused at a link, and why; of links that end as they should nothing is said.
func TestRefusalsAreLogged(t *testing.T) {
	o := openOffice(t)
	log := &journal{}
	o.api.Log, o.api.ping = slog.New(slog.NewTextHandler(log, nil)), 50*time.Millisecond
	i := intruder{t, o}
	_, secret, err := o.tokens.Add("eve", auth.Run, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		do   func()
		want []string
	}{
		{"no websocket", func() { i.asks("GET", "/link", "", "") }, []string{"could not be opened", "address=127.0.0.1"}},
		{"a frame of two megabytes", func() { i.enters(o.ada, strings.Repeat("x", 2<<20)) }, []string{"a link ends", "user=ada", "read limit"}},
		{"bad framing", func() {
			c := i.dial(o.bob)
			c.NetConn().Write([]byte{0xff, 0xff, 0xff, 0xff})
			c.ReadMessage()
			c.Close()
		}, []string{"a link ends", "user=bob", "websocket: "}},
		{"no request", func() { i.enters(o.ada, `{"v":9,"kind":"request"}`) }, []string{"a link ends", "user=ada"}},
		{"a revoked token", func() {
			c := i.dial(secret)
			defer c.Close()
			list, err := o.tokens.List()
			if err == nil {
				err = o.tokens.Revoke(list[len(list)-1].ID)
			}
			if err != nil {
				t.Error(err)
			}
			for err == nil {
				_, _, err = c.ReadMessage()
			}
			if !websocket.IsCloseError(err, link.CodeDenied) {
				t.Error(err)
			}
		}, []string{"a link ends", "user=eve", "revoked"}},
		{"a request beyond the scope", func() { i.requests(o.viewer, wire.Steer{Run: "m/v0-20260101-000000", Do: "stop"}) }, []string{"a request is refused", "user=ada", "request=steer", "status=403"}},
		{"a run of nobody", func() { i.requests(o.bob, wire.Replay{Run: "m/v0-20260101-000000"}) }, []string{"a request is refused", "user=bob", "request=replay", "status=404"}},
		{"too many requests", func() {
			c := i.dial(o.bob)
			defer c.Close()
			for n := range 300 {
				c.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"v":1,"kind":"request","id":%d,"name":"hello"}`, n+1))
			}
			c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
			for _, _, err := c.ReadMessage(); err == nil; _, _, err = c.ReadMessage() {
			}
		}, []string{"asks too much", "user=bob"}},
		{"too many links", func() {
			o.api.mu.Lock()
			o.api.links["bob"] += maxUserLinks
			o.api.mu.Unlock()
			i.enters("", login(o.bob))
		}, []string{"a link is refused", "user=bob", "too many links"}},
	} {
		c.do()
		got := log.take(append(c.want, "level=WARN")...)
		if n := strings.Count(got, "level=WARN"); n != 1 || !all(got, c.want) {
			t.Errorf("%s: the log says\n%swant one line with %q", c.what, got, c.want)
		}
	}
	i.requests(o.ada, wire.Runs{})
	time.Sleep(200 * time.Millisecond)
	log.mu.Lock()
	defer log.mu.Unlock()
	if got := log.text.String(); got != "" {
		t.Errorf("a link that ends as it should: %s", got)
	}
}
