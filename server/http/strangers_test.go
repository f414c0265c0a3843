package http

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Who opens links and does not say who they are holds a few of them: others at the same address are let in when these end, and those
// at other addresses at once, until there are too many strangers in all.
func TestStrangers(t *testing.T) {
	o := openOffice(t)
	o.api.Gate.Proxied = true // so that a test comes from many addresses
	open := func(from string) (*websocket.Conn, int) {
		c, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(o.server.URL, "http")+"/link", http.Header{"X-Forwarded-For": {from}})
		if err != nil && res == nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return c, res.StatusCode
	}
	enters := func(from string) bool {
		c, status := open(from)
		if status != http.StatusSwitchingProtocols {
			return false
		}
		defer c.Close()
		c.WriteMessage(websocket.TextMessage, []byte(login(o.ada)))
		_, said, err := c.ReadMessage()
		return err == nil && strings.Contains(string(said), `"ada"`)
	}
	var first *websocket.Conn
	for n := range maxEnteringFrom {
		c, status := open("192.0.2.1")
		if status != http.StatusSwitchingProtocols {
			t.Fatalf("link %d: %d", n, status)
		}
		first = c
	}
	if _, status := open("192.0.2.1"); status != http.StatusTooManyRequests {
		t.Errorf("one more from the same address: %d", status)
	}
	if !enters("192.0.2.2") {
		t.Error("nobody else is let in")
	}
	first.Close()
	for end := time.Now().Add(5 * time.Second); !enters("192.0.2.1"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a link that has ended is still counted")
		}
	}
	refused := 0
	for n := range maxEntering {
		if _, status := open(fmt.Sprintf("198.51.100.%d", n/maxEnteringFrom)); status == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < maxEnteringFrom-1 || refused > maxEnteringFrom {
		t.Errorf("of %d strangers more %d are refused", maxEntering, refused)
	}
	o.api.mu.Lock()
	defer o.api.mu.Unlock()
	if o.api.strange != maxEntering {
		t.Errorf("%d strangers are there", o.api.strange)
	}
}
