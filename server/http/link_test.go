package http

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"hone/core/device/cpu"
	"hone/core/link"
	"hone/core/recipe"
	"hone/core/wire"
	"hone/server/auth"
	"hone/server/badnetwork"
	"hone/server/jobs"
)

// office is a server with jobs, tokens and one worker.
type office struct {
	api    *API
	server *httptest.Server
	tokens *auth.Tokens
	dir    string // where they are
	ada    string // tokens
	bob    string
	viewer string // ada's, to look only
}

func openOffice(t *testing.T) *office {
	t.Helper()
	dir := t.TempDir()
	tokens, err := auth.OpenTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tokens.Close)
	b, err := jobs.Open(t.Context(), jobs.Options{DataDir: dir, Lease: time.Second, UnfinishedOf: tokens.Runs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	files, err := jobs.NewFiles(b, filepath.Join(dir, "uploads"), jobs.Limits{File: 1 << 30, User: 2 << 30})
	if err != nil {
		t.Fatal(err)
	}
	files.QuotaOf = tokens.Quota
	o := &office{tokens: tokens, dir: dir}
	for _, k := range []struct {
		to    *string
		user  string
		scope auth.Scope
	}{{&o.ada, "ada", auth.Run}, {&o.bob, "bob", auth.Run}, {&o.viewer, "ada", auth.View}} {
		if _, *k.to, err = tokens.Add(k.user, k.scope, 0); err != nil {
			t.Fatal(err)
		}
	}
	o.api = &API{Gate: auth.NewGate(tokens, false, auth.Rates{Token: 1e5, Address: 1e5, Burst: 1e5}), Broker: b, Files: files}
	s, err := New(Options{API: o.api})
	if err != nil {
		t.Fatal(err)
	}
	o.server = httptest.NewServer(s)
	t.Cleanup(func() { o.api.Close(); o.server.Close() })
	return o
}

func (o *office) hire(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	dev := cpu.New(1)
	w := &jobs.Worker{Broker: o.api.Broker, Device: dev, Dir: t.TempDir()}
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		dev.Close()
	})
}

// send brings bytes to the server.
func (o *office) send(t *testing.T, token, name string, raw []byte) wire.Blob {
	t.Helper()
	sum := sha256.Sum256(raw)
	b := wire.Blob{Path: name, Size: int64(len(raw)), SHA256: hex.EncodeToString(sum[:])}
	f := link.Files{URL: o.server.URL, Token: token}
	err := f.Send(t.Context(), b, func(at int64) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw[at:])), nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// startTiny sends a small model and rows and starts a run with them.
func (o *office) startTiny(t *testing.T, c wire.Link, token string, steps int) string {
	t.Helper()
	golden := filepath.Join("..", "..", "testdata", "golden")
	model := wire.Place{Name: "/home/me/tiny", Folder: true}
	for _, name := range []string{"config.json", "model.safetensors"} {
		model.Files = append(model.Files, o.send(t, token, name, readFile(t, filepath.Join(golden, "tiny_llama", name))))
	}
	rows := wire.Place{Name: "/home/me/rows.jsonl", Files: []wire.Blob{o.send(t, token, "rows.jsonl", readFile(t, filepath.Join(golden, "tiny_lora", "dataset.jsonl")))}}
	r, err := recipe.Parse([]string{"--model", model.Name, "--dataset", rows.Name, "--max_steps", fmt.Sprint(steps), "--logging_steps", "1", "--gradient_accumulation_steps", "4"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := r.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	name, err := wire.Ask[wire.RunName](t.Context(), c, wire.Start{Recipe: raw, Places: []wire.Place{model, rows}, Priority: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return name.Run
}

// listener collects the events of a link.
type listener struct {
	mu     sync.Mutex
	frames []wire.Frame
	over   chan struct{}
}

func listen() *listener { return &listener{over: make(chan struct{})} }

func (l *listener) hear(f wire.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frames = append(l.frames, f)
	if f.Name == "finished" || f.Name == "failed" {
		close(l.over)
	}
}

// check wants every event once, in order, and every step once.
func (l *listener) check(t *testing.T, steps int) {
	t.Helper()
	select {
	case <-l.over:
	case <-time.After(60 * time.Second):
		t.Fatalf("the run did not end within a minute; %d events", len(l.frames))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := 0
	for i, f := range l.frames {
		if f.Seq != uint64(i+1) {
			t.Fatalf("event %d is number %d", f.Seq, i+1)
		}
		if f.Name == "stepped" {
			seen++
		}
	}
	if seen != steps {
		t.Errorf("%d steps were heard, want %d", seen, steps)
	}
}

// A link that breaks again and again, and is delayed and half closed in between, misses nothing.
func TestLinkThroughBadNetwork(t *testing.T) {
	o := openOffice(t)
	o.hire(t)
	p := badnetwork.To(t, o.server.Listener.Addr().String())
	heard := listen()
	c, err := link.Dial(t.Context(), link.Options{URL: "http://" + p.Addr, Token: o.ada, Event: heard.hear})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Welcome().User != "ada" {
		t.Errorf("%+v", c.Welcome())
	}
	id := o.startTiny(t, c, o.ada, 60)
	c.Follow(id, 1)
	stop := p.Misbehave(7, 250*time.Millisecond)
	heard.check(t, 60)
	stop()
	if p.Broken.Load() == 0 {
		t.Error("the network was never bad")
	}
	// One that comes later hears the same.
	late := listen()
	d, err := link.Dial(t.Context(), link.Options{URL: o.server.URL, Token: o.viewer, Event: late.hear})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.Follow(id, 1)
	late.check(t, 60)
	if _, err := wire.Ask[struct{}](t.Context(), d, wire.Resume{Run: id}, nil); err == nil || !strings.Contains(err.Error(), "scope") {
		t.Errorf("a token to look only resumes a run: %v", err)
	}
	carried, err := wire.Ask[wire.Carried](t.Context(), d, wire.Carry{Run: id}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range carried.Files {
		var whole, rest bytes.Buffer
		files := link.Files{URL: o.server.URL, Token: o.viewer}
		if err := files.Take(t.Context(), id, f, &whole, 0); err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(whole.Bytes()); hex.EncodeToString(sum[:]) != f.SHA256 {
			t.Errorf("%s is not what it should be", f.Path)
		}
		if err := files.Take(t.Context(), id, f, &rest, f.Size/3); err != nil || !bytes.Equal(rest.Bytes(), whole.Bytes()[f.Size/3:]) {
			t.Errorf("%s from a third on: %d bytes, %v", f.Path, rest.Len(), err)
		}
	}
}

// A way that carries nothing any more, and does not end, is left for another one; what was asked on it is answered there.
func TestLinkGoneSilent(t *testing.T) {
	o := openOffice(t)
	o.api.ping = 100 * time.Millisecond
	p := badnetwork.To(t, o.server.Listener.Addr().String())
	states := make(chan link.State, 100)
	c, err := link.Dial(t.Context(), link.Options{URL: "http://" + p.Addr, Token: o.ada, State: func(s link.State) { states <- s }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	next := func() link.State {
		t.Helper()
		select {
		case s := <-states:
			return s
		case <-time.After(10 * time.Second):
			t.Fatal("nothing is said of the link")
		}
		panic("unreachable")
	}
	if s := next(); !s.Connected {
		t.Fatalf("%+v", s)
	}
	select { // as long as the server says that it is there
	case s := <-states:
		t.Fatalf("%+v", s)
	case <-time.After(6 * o.api.ping):
	}
	p.Silence()
	if _, err := wire.Ask[wire.RunList](t.Context(), c, wire.Runs{}, nil); err != nil {
		t.Error(err)
	}
	if s := next(); s.Connected || !strings.Contains(s.Err.Error(), "nothing has come") {
		t.Errorf("%+v", s)
	}
	if s := next(); !s.Connected {
		t.Errorf("%+v", s)
	}
}

// Administrators get figures, others do not.
func TestMetrics(t *testing.T) {
	o := openOffice(t)
	c, err := link.Dial(t.Context(), link.Options{URL: o.server.URL, Token: o.ada})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o.startTiny(t, c, o.ada, 2)
	_, admin, err := o.tokens.Add("root", auth.Admin, 0)
	if err != nil {
		t.Fatal(err)
	}
	get := func(path, token string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", o.server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	if status, _ := get("/metrics", o.ada); status != 403 {
		t.Errorf("ada gets %d", status)
	}
	status, text := get("/metrics", admin)
	for _, want := range []string{`hone_runs{status="queued"} 1`, `hone_runs{status="done"} 0`, "hone_workers 0", "hone_links 1", "hone_engine_up 1", "go_goroutines"} {
		if !strings.Contains(text, want) {
			t.Errorf("status %d, no %q", status, want)
		}
	}
	if status, text := get("/ready", ""); status != 200 || text != "ready\n" {
		t.Errorf("%d %q", status, text)
	}
}

// A link whose token is revoked is not answered any more, ends and does not come back; nor is one of a server that was open until it got
// its first token.
func TestLinkRevoked(t *testing.T) {
	o := openOffice(t)
	c, err := link.Dial(t.Context(), link.Options{URL: o.server.URL, Token: o.ada})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	list, err := o.tokens.List()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.tokens.Revoke(list[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := wire.Ask[wire.RunList](t.Context(), c, wire.Runs{}, nil); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("a request after the token was revoked: %v", err)
	}
	if _, err := link.Dial(t.Context(), link.Options{URL: o.server.URL, Token: o.ada}); err == nil || !strings.Contains(err.Error(), "not valid") {
		t.Errorf("%v", err)
	}
	stranger := auth.Identity{User: auth.Local, Scope: auth.Admin}
	none, err := auth.OpenTokens(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o.api.Gate = auth.NewGate(none, true, auth.DefaultRates)
	open, err := link.Dial(t.Context(), link.Options{URL: o.server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if _, err := wire.Ask[wire.RunList](t.Context(), open, wire.Runs{}, nil); err != nil || !o.api.Gate.StillValid(stranger) {
		t.Errorf("an open server without tokens: %v", err)
	}
	if _, _, err := none.Add("ada", auth.Run, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := wire.Ask[wire.RunList](t.Context(), open, wire.Runs{}, nil); err == nil || o.api.Gate.StillValid(stranger) {
		t.Errorf("who came before the first token is still answered: %v", err)
	}
}

// A client that takes nothing is let go; others hear all.
func TestSlowConsumer(t *testing.T) {
	o := openOffice(t)
	s := &socket{api: o.api, out: newOutbox(3)}
	s.ctx, s.end = context.WithCancelCause(t.Context())
	for range 3 {
		s.put([]byte("x"))
	}
	if s.ctx.Err() != nil {
		t.Fatal("it ended before its time")
	}
	s.put([]byte("x"))
	if f, ok := context.Cause(s.ctx).(*farewell); !ok || f.code != websocket.ClosePolicyViolation || !strings.Contains(f.text, "slow") {
		t.Errorf("%v", context.Cause(s.ctx))
	}
}

// What waits for a client is bounded in bytes as well: events beyond it end the link, replies wait, and come when the client takes them.
func TestWaitingBytes(t *testing.T) {
	o := openOffice(t)
	s := &socket{api: o.api, out: newOutbox(maxWaiting)}
	s.ctx, s.end = context.WithCancelCause(t.Context())
	large := json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
	var all sync.WaitGroup
	for range maxRequests {
		all.Go(func() { s.answer(wire.Frame{Data: large}, func() {}) })
	}
	for end := time.Now().Add(10 * time.Second); len(s.out.frames) < maxReplyBytes>>20 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
	}
	time.Sleep(50 * time.Millisecond) // for those that should not come
	if n := len(s.out.frames); n < maxReplyBytes>>20 || n > maxReplyBytes>>20+1 || s.ctx.Err() != nil {
		t.Errorf("%d replies of a MiB wait (%v)", n, s.ctx.Err())
	}
	for range maxRequests {
		s.out.taken(<-s.out.frames)
	}
	all.Wait()
	for s.ctx.Err() == nil && s.out.bytes <= maxWaitingBytes {
		s.put(large)
	}
	if f, ok := context.Cause(s.ctx).(*farewell); !ok || f.code != websocket.ClosePolicyViolation {
		t.Errorf("with %d bytes of events it ends with %v", s.out.bytes, context.Cause(s.ctx))
	}
	s.answer(wire.Frame{Data: large}, func() {}) // nobody waits for a link that has ended
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
