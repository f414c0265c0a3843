package http

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"hone/core/link"
	"hone/core/wire"
	"hone/server/auth"
)

// intruder tries things on a server.
type intruder struct {
	t      *testing.T
	office *office
}

// asks sends a request and gives the status with what was said.
func (i intruder) asks(method, path, token, body string, header ...string) (int, string) {
	r, err := http.NewRequestWithContext(i.t.Context(), method, i.office.server.URL+path, strings.NewReader(body))
	if err != nil {
		i.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for k := 0; k < len(header); k += 2 {
		r.Header.Add(header[k], header[k+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		i.t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body) // as much as is said
	return res.StatusCode, string(text)
}

// declares says that a body of so many bytes comes, and sends nothing of it.
func (i intruder) declares(path, token string, bytes int64) (int, string) {
	conn, err := net.Dial("tcp", i.office.server.Listener.Addr().String())
	if err != nil {
		i.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", path, token, bytes)
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	head := make([]byte, 256)
	n, err := conn.Read(head)
	if err != nil || n < 12 {
		return 0, fmt.Sprint(err)
	}
	status, _ := strconv.Atoi(string(head[9:12]))
	return status, string(head[:n])
}

// enters opens a websocket, logs in unless the token is empty, sends a frame, and gives the code with which it is closed.
func (i intruder) enters(token, frame string) (int, string) {
	c := i.dial(token)
	defer c.Close()
	c.WriteMessage(websocket.TextMessage, []byte(frame))
	_, said, err := c.ReadMessage()
	var last struct{ Data wire.Farewell }
	if err == nil && json.Unmarshal(said, &last) == nil && last.Data.Code != 0 { // a page reads it here, others at the close
		if _, _, err = c.ReadMessage(); !websocket.IsCloseError(err, last.Data.Code) {
			return 0, fmt.Sprintf("%s, but then %v", said, err)
		}
	}
	if closed, ok := err.(*websocket.CloseError); ok {
		return closed.Code, closed.Text
	}
	return 0, fmt.Sprint(string(said), err)
}

func (i intruder) dial(token string) *websocket.Conn {
	c, res, err := websocket.DefaultDialer.DialContext(i.t.Context(), "ws"+strings.TrimPrefix(i.office.server.URL, "http")+"/link", nil)
	if err != nil {
		i.t.Fatal(err)
	}
	res.Body.Close()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if token != "" {
		login, _ := json.Marshal(wire.Login{Token: token}) // a plain value
		c.WriteJSON(wire.Frame{V: wire.Version, Kind: wire.KindRequest, Name: "login", Data: login})
		if _, _, err := c.ReadMessage(); err != nil {
			i.t.Fatal(err)
		}
	}
	return c
}

// requests asks over a link as its client does; an answer has the status that it has over HTTP.
func (i intruder) requests(token string, r wire.Request) (int, string) {
	ctx, cancel := context.WithTimeout(i.t.Context(), 20*time.Second)
	defer cancel()
	c, err := link.Dial(ctx, link.Options{URL: i.office.server.URL, Token: token})
	if err != nil {
		i.t.Fatal(err)
	}
	defer c.Close()
	if _, err = c.Ask(ctx, r.Name(), r, nil); err == nil {
		return 200, ""
	}
	return wire.StatusOf(err), err.Error()
}

// Everything that an attacker may try is refused with its status, nothing is said that is not theirs, and the server goes on.
func TestAttacks(t *testing.T) {
	o := openOffice(t)
	bomb := zipBomb()
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bomb" {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte(bomb))
			return
		}
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	}))
	t.Cleanup(hub.Close)
	at, err := url.Parse(hub.URL)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{API: o.api, Hubs: []*url.URL{at}})
	if err != nil {
		t.Fatal(err)
	}
	o.server.Config.Handler = s

	ada, err := link.Dial(t.Context(), link.Options{URL: o.server.URL, Token: o.ada})
	if err != nil {
		t.Fatal(err)
	}
	defer ada.Close()
	run := o.startTiny(t, ada, o.ada, 2)
	revoked := o.revoked(t)
	i := intruder{t, o}
	file, none := "/files/"+strings.Repeat("ab", 32), ""
	const evil = "https://evil.example"
	deep := strings.Repeat("[", 1_000_000)
	start := `{"v":1,"kind":"request","id":1,"name":"start","data":`
	runFile := "/files/run/" + run + "/args.json"
	long := strings.Repeat("x", 8000) + "/v0-20260101-000000"

	for _, a := range []struct {
		attack string
		status int
		try    func() (int, string)
	}{
		{"no token", 401, func() (int, string) { return i.asks("HEAD", file, none, "") }},
		{"a token in the address", 401, func() (int, string) { return i.asks("HEAD", file+"?token="+o.ada, none, "") }},
		{"a wrong token", 401, func() (int, string) { return i.asks("HEAD", file, o.ada+"x", "") }},
		{"a revoked token", 401, func() (int, string) { return i.asks("HEAD", file, revoked, "") }},
		{"a revoked token at a link", link.CodeDenied, func() (int, string) { return i.enters(none, login(revoked)) }},
		{"a token to look only sends", 403, func() (int, string) { return i.asks("PUT", file+"?size=1&offset=0", o.viewer, "x") }},
		{"a token to look only stops a run", 403, func() (int, string) { return i.requests(o.viewer, wire.Steer{Run: run, Do: "stop"}) }},
		{"a user's token reads the figures", 403, func() (int, string) { return i.asks("GET", "/metrics", o.ada, "") }},

		{"a forged origin", 403, func() (int, string) { return i.asks("HEAD", file, o.ada, "", "Origin", evil) }},
		{"a forged origin asks before", 403, func() (int, string) { return i.asks("OPTIONS", file, none, "", "Origin", evil) }},
		{"a forged origin's link", 403, func() (int, string) { return i.asks("GET", "/link", o.ada, "", "Origin", evil) }},

		{"another user's run: a file", 404, func() (int, string) { return i.asks("GET", runFile, o.bob, "") }},
		{"another user's run: its events", 404, func() (int, string) { return i.requests(o.bob, wire.Replay{Run: run}) }},
		{"another user's run: its State", 404, func() (int, string) { return i.requests(o.bob, wire.Carry{Run: run}) }},
		{"another user's run: stopping it", 404, func() (int, string) { return i.requests(o.bob, wire.Steer{Run: run, Do: "stop"}) }},
		{"another user's run: going on", 404, func() (int, string) { return i.requests(o.bob, wire.Resume{Run: run}) }},
		{"another user's run: asking it", 404, func() (int, string) { return i.requests(o.bob, wire.Answer{Run: run, Sides: "both"}) }},
		{"another user's run: deleting it", 404, func() (int, string) { return i.requests(o.bob, wire.Delete{Path: "runs/" + run}) }},
		{"all runs, by a wildcard", 404, func() (int, string) { return i.requests(o.bob, wire.Replay{Run: "*"}) }},
		{"all runs, by another wildcard", 404, func() (int, string) { return i.requests(o.bob, wire.Carry{Run: ">"}) }},

		{"a run with a name of 8000 bytes: its events", 404, func() (int, string) { return i.requests(o.viewer, wire.Replay{Run: long}) }},
		{"a run with a name of 8000 bytes: going on", 404, func() (int, string) { return i.requests(o.bob, wire.Resume{Run: long}) }},
		{"a run with a name of 8000 bytes: a note", 404, func() (int, string) { return i.requests(o.bob, wire.Note{Run: long, Text: "x"}) }},
		{"a run with a name of 8000 bytes: deleting it", 404, func() (int, string) { return i.requests(o.bob, wire.Delete{Path: "runs/" + long}) }},
		{"a run with a name of 8000 bytes: a file", 404, func() (int, string) { return i.asks("GET", "/files/run/"+long+"/args.json", o.viewer, "") }},
		{"a run with a name of 8000 bytes is brought", 400, func() (int, string) {
			return i.requests(o.ada, wire.Start{Priority: wire.Usual, Recipe: json.RawMessage(`{"model":"a/b","dataset":["a/b"],"max_steps":1}`), From: &wire.Carried{Run: long}})
		}},
		{"a recipe whose model has a name of 8000 bytes", 400, func() (int, string) {
			return i.requests(o.ada, wire.Start{Priority: wire.Usual, Recipe: json.RawMessage(`{"model":"` + long + `","dataset":["a/b"],"max_steps":1}`)})
		}},
		{"a file whose hash has 8000 bytes", 400, func() (int, string) { return i.asks("HEAD", "/files/"+long[:8000], o.ada, "") }},

		{"traversal in the name of a run", 404, func() (int, string) { return i.requests(o.bob, wire.Delete{Path: "runs/../ada"}) }},
		{"traversal in a run's file", 404, func() (int, string) {
			return i.asks("GET", "/files/run/x/v0-20260101-000000/..%2f..%2fetc%2fpasswd", o.ada, "")
		}},
		{"traversal in a hash", 400, func() (int, string) { return i.asks("HEAD", "/files/..%2f..%2ftokens.json", o.ada, "") }},
		{"traversal in an upload", 400, func() (int, string) { return i.asks("PUT", "/files/..%2fx?size=1&offset=0", o.ada, "x") }},

		{"an upload of a declared 10 GB", 413, func() (int, string) { return i.asks("PUT", file+"?size=10737418240&offset=0", o.ada, "x") }},
		{"a body of a declared 10 GB", 413, func() (int, string) { return i.declares(file+"?size=1000&offset=0", o.ada, 10<<30) }},
		{"a zip bomb: an upload that says it is packed", 415, func() (int, string) {
			return i.asks("PUT", file+"?size=1073741824&offset=0", o.ada, bomb, "Content-Encoding", "gzip")
		}},
		{"a zip bomb: another packing", 415, func() (int, string) {
			return i.asks("PUT", file+"?size=1073741824&offset=0", o.ada, bomb, "Content-Encoding", "identity", "Content-Encoding", "br")
		}},
		{"a zip bomb: a form of the panel", 415, func() (int, string) {
			return i.asks("POST", "/en/server/enter", none, bomb, "Content-Encoding", "gzip", "Content-Type", "application/x-www-form-urlencoded")
		}},
		{"a zip bomb: an upload in the place of the file", 413, func() (int, string) {
			return i.asks("PUT", file+"?size=1099511627776&offset=0", o.ada, bomb)
		}},
		{"a zip bomb: a frame", websocket.CloseProtocolError, func() (int, string) { return i.packs(o.ada, bomb) }},
		{"a zip bomb: a hub's answer, which stays as it is", 200, func() (int, string) {
			status, said := i.asks("GET", "/hub/"+at.Host+"/bomb", none, "")
			if said != bomb {
				return 0, fmt.Sprintf("%d bytes came of %d", len(said), len(bomb))
			}
			return status, ""
		}},
		{"a size that is none", 400, func() (int, string) { return i.asks("PUT", file+"?size=x&offset=0", o.ada, "x") }},
		{"an offset before all", 400, func() (int, string) { return i.asks("PUT", file+"?size=2&offset=-1", o.ada, "x") }},
		{"a hole in a file", 409, func() (int, string) { return i.asks("PUT", file+"?size=2&offset=1", o.ada, "x") }},
		{"bytes that are not those of the hash", 422, func() (int, string) { return i.asks("PUT", file+"?size=1&offset=0", o.ada, "x") }},
		{"a method that there is not", 405, func() (int, string) { return i.asks("DELETE", file, o.ada, "") }},
		{"a body for the page", 405, func() (int, string) { return i.asks("POST", "/", none, "x") }},
		{"a link that is no websocket", 400, func() (int, string) { return i.asks("GET", "/link", none, "") }},

		{"JSON nested 1e6 deep", link.CodeProtocol, func() (int, string) { return i.enters(o.ada, start+deep) }},
		{"JSON nested 5e5 deep, and closed", link.CodeProtocol, func() (int, string) { return i.enters(o.ada, start+deep[:500_000]+strings.Repeat("]", 500_000)+"}") }},
		{"JSON nested deep before the login", link.CodeProtocol, func() (int, string) { return i.enters(none, deep) }},
		{"a frame of two megabytes", websocket.CloseMessageTooBig, func() (int, string) { return i.enters(o.ada, strings.Repeat("x", 2<<20)) }},
		{"a frame that is no JSON", link.CodeProtocol, func() (int, string) { return i.enters(o.ada, "\x00\x01") }},
		{"a frame of another version", link.CodeProtocol, func() (int, string) { return i.enters(o.ada, `{"v":9,"kind":"request"}`) }},
		{"an event from a client", link.CodeProtocol, func() (int, string) { return i.enters(o.ada, `{"v":1,"kind":"event","run":"x","seq":1}`) }},
		{"a request without a login", link.CodeProtocol, func() (int, string) { return i.enters(none, `{"v":1,"kind":"request","id":1,"name":"runs"}`) }},
		{"a login without a token", link.CodeDenied, func() (int, string) { return i.enters(none, `{"v":1,"kind":"request","name":"login"}`) }},
		{"a run before those of all others", 403, func() (int, string) {
			return i.requests(o.ada, wire.Start{Priority: wire.First, Recipe: json.RawMessage(`{"model":"a/b","dataset":["a/b"],"max_steps":1}`)})
		}},
		{"a priority that there is not", 400, func() (int, string) {
			return i.requests(o.ada, wire.Start{Priority: 3, Recipe: json.RawMessage(`{"model":"a/b","dataset":["a/b"],"max_steps":1}`)})
		}},
		{"a recipe that names the server's files", 400, func() (int, string) {
			return i.requests(o.ada, wire.Start{Priority: wire.Usual, Recipe: json.RawMessage(`{"model":"/etc","dataset":["/etc/passwd"],"max_steps":1}`)})
		}},
		{"another user's file, by its hash", 409, func() (int, string) {
			return i.requests(o.bob, wire.Start{Priority: wire.Usual, Recipe: json.RawMessage(`{"model":"/m","dataset":["/d.jsonl"],"max_steps":1}`), Places: o.placesOf(t)})
		}},

		{"the hub: another host", 403, func() (int, string) {
			return i.asks("GET", "/hub/169.254.169.254/latest/meta-data/", none, "", "Host", "localhost")
		}},
		{"the hub: a redirect to 169.254.169.254", 403, func() (int, string) { return i.asks("GET", "/hub/"+at.Host+"/x", none, "") }},
	} {
		status, said := a.try()
		if status != a.status {
			t.Errorf("%s: %d %.200s, want %d", a.attack, status, said, a.status)
		}
		for _, secret := range []string{"/tmp", o.ada, o.bob, revoked, "root:"} {
			if strings.Contains(said, secret) {
				t.Errorf("%s is told %q", a.attack, said)
			}
		}
	}
	i.garbles(o.bob)
	if runs, err := wire.Ask[wire.RunList](t.Context(), ada, wire.Runs{}, nil); err != nil || len(runs.Runs) != 1 || runs.Runs[0].ID != run {
		t.Errorf("after all that: %+v, %v", runs, err)
	}
	if status, _ := i.asks("GET", "/ready", none, ""); status != 200 {
		t.Errorf("after all that it is not ready: %d", status)
	}
}

// zipBomb is 64 MB of nothing, packed into a thousandth of that.
func zipBomb() string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	nothing := make([]byte, 1<<20)
	for range 64 {
		z.Write(nothing)
	}
	z.Close()
	return b.String()
}

// packs sends a frame that says it is packed, although that was not agreed on, and gives the code with which the link is closed.
func (i intruder) packs(token, body string) (int, string) {
	c := i.dial(token)
	defer c.Close()
	head := []byte{0xC1, 0xFE, 0, 0, 0, 0, 0, 0} // text, final, packed; masked with zeros
	n := min(len(body), 1<<16-1)
	binary.BigEndian.PutUint16(head[2:], uint16(n))
	c.NetConn().Write(append(head, body[:n]...))
	_, said, err := c.ReadMessage()
	for err == nil {
		_, said, err = c.ReadMessage()
	}
	if closed, ok := err.(*websocket.CloseError); ok {
		return closed.Code, closed.Text
	}
	return 0, fmt.Sprint(string(said), err)
}

func login(token string) string {
	return `{"v":1,"kind":"request","name":"login","data":{"token":"` + token + `"}}`
}

// revoked is a token of an administrator that is valid no more.
func (o *office) revoked(t *testing.T) string {
	t.Helper()
	_, secret, err := o.tokens.Add("ada", auth.Admin, 0)
	if err != nil {
		t.Fatal(err)
	}
	list, err := o.tokens.List()
	if err == nil {
		err = o.tokens.Revoke(list[len(list)-1].ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// placesOf are files that another user has sent, under names of a recipe of one's own.
func (o *office) placesOf(t *testing.T) []wire.Place {
	t.Helper()
	b := o.send(t, o.ada, "rows.jsonl", readFile(t, "../../testdata/golden/tiny_lora/dataset.jsonl"))
	return []wire.Place{{Name: "/m", Folder: true, Files: []wire.Blob{b}}, {Name: "/d.jsonl", Files: []wire.Blob{b}}}
}

// garbles sends frames made of pieces of a true one: the server refuses them or answers.
func (i intruder) garbles(token string) {
	rng := rand.New(rand.NewPCG(1, 2))
	const true1 = `{"v":1,"kind":"request","id":7,"name":"start","data":{"recipe":{"model":"x"},"places":[{"name":"x","files":[{"path":"a","size":1,"sha256":"b"}]}]}}`
	for range 200 {
		raw := []byte(true1)
		for range 1 + rng.IntN(4) {
			raw[rng.IntN(len(raw))] = byte(rng.IntN(256))
		}
		conn := i.dial(token)
		conn.WriteMessage(websocket.TextMessage, raw)
		conn.WriteMessage(websocket.TextMessage, []byte(`{"v":1,"kind":"request","id":8,"name":"runs"}`))
		if _, _, err := conn.ReadMessage(); err != nil && !websocket.IsCloseError(err, link.CodeProtocol, websocket.CloseInvalidFramePayloadData, websocket.CloseAbnormalClosure) {
			i.t.Errorf("%q: %v", raw, err)
		}
		conn.Close()
	}
}
