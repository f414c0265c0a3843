//go:build js

// Command trainer is the worker of the page: a host on the browser's file system and WebGPU. web/worker/trainer.js starts it and
// passes messages on; the comment there says what they are.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"syscall/js"
	"time"

	"hone/core/filelock"
	"hone/core/host"
	"hone/core/hub"
	"hone/core/wire"
	"hone/web/studio"
)

// saveEvery is how much of a run is lost at most when its tab is closed.
const saveEvery = 20 * time.Second

func main() {
	hub.InPage = true
	direct := http.RoundTripper(fetching{http.DefaultTransport})
	http.DefaultTransport = &hub.Roundabout{Direct: direct, Server: address("../../hub/")}
	http.DefaultClient.Transport = http.DefaultTransport
	gpu := &graphics{}
	t := &tab{begun: make(chan struct{}), options: host.Options{
		Dir: "/", Device: gpu.open, Reason: gpu.reason, Storage: storage, SaveEvery: saveEvery,
		Bundle: bundle(), Server: host.Server{Models: address("../../models/")},
		HTTP: &http.Client{Transport: direct},
	}}
	t.page = studio.New(studio.Options{Link: t, Out: update, Store: store, Deliver: deliver, Storage: func() wire.Storage { return storage(context.Background()) }})
	in := studio.NewInbox()
	js.Global().Set("receive", js.FuncOf(func(_ js.Value, args []js.Value) any {
		in.Put(args[0].String())
		return nil
	}))
	go in.Each(t.take)
	js.Global().Call("listening") // what the page has said is read while the browser opens files
	t.begin()
	close(t.begun)
	select {}
}

// message is one of the page.
type message struct {
	Type  string            `json:"type"`
	Frame json.RawMessage   `json:"frame"`
	Env   map[string]string `json:"env"`
	studio.Opening
	studio.Act
}

// take takes a message of the page. What has to wait for something does so by itself.
func (t *tab) take(text string) {
	var m message
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		post("failed", map[string]any{"error": "a message to the worker is not understood: " + err.Error()})
		return
	}
	<-t.begun
	switch m.Type {
	case "open":
		t.mirrors = m.Mirrors
		for name, value := range m.Mirrors {
			if os.Getenv(name) == "" { // otherwise the user has named another one before
				os.Setenv(name, value)
			}
		}
		t.page.Open(context.Background(), m.Opening)
	case "act":
		t.page.Act(m.Act)
	case "frame":
		f, err := wire.ParseFrame(m.Frame)
		if err != nil {
			post("failed", map[string]any{"error": err.Error()})
			return
		}
		go t.frame(f)
	case "env": // where hubs are, and their tokens
		t.surround(m.Env)
		t.cast(envelope{Env: m.Env}) // another tab may be the one that asks hubs
	case "measure":
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		gpu := []byte("null")
		if open := js.Global().Get("honeWebGPU"); open.Truthy() {
			gpu = []byte(js.Global().Get("JSON").Call("stringify", open.Get("counts")).String())
		}
		post("measured", map[string]any{"heap": m.HeapAlloc, "memory": js.Global().Get("wasm").Get("instance").Get("exports").Get("mem").Get("buffer").Get("byteLength").Float(), "gpu": json.RawMessage(gpu)})
	case "hidden": // the page may be gone soon
		go t.keep()
	default:
		post("failed", map[string]any{"error": fmt.Sprintf("the worker does not know messages of type %.40q", m.Type)})
	}
}

// post sends a message to the page.
func post(kind string, more map[string]any) {
	more["type"] = kind
	raw, err := json.Marshal(more)
	if err != nil {
		raw, _ = json.Marshal(map[string]any{"type": "failed", "error": err.Error()})
	}
	js.Global().Call("say", string(raw))
}

// update sends the page what changes on it.
func update(u studio.Update) {
	raw, err := json.Marshal(struct {
		Type string `json:"type"`
		studio.Update
	}{"update", u})
	if err != nil {
		post("failed", map[string]any{"error": err.Error()})
		return
	}
	js.Global().Call("say", string(raw))
}

// store keeps rows that the user typed.
func store(path string, content []byte) error {
	path = filepath.Join("/", path)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o666)
}

// deliver hands a file to the user; its bytes do not pass through here.
func deliver(f wire.File) {
	js.Global().Call("handOut", "/"+f.Path, f.Name, f.Type)
}

// address is a place beside this worker's script.
func address(relative string) string {
	return js.Global().Get("URL").New(relative, js.Global().Get("location").Get("href")).Get("href").String()
}

// becomeHost takes the workspace if no other tab has it.
func (t *tab) becomeHost() bool {
	h, err := host.Open(t.options)
	if errors.As(err, new(*filelock.Held)) {
		return false
	}
	if err != nil {
		post("failed", map[string]any{"error": err.Error()})
		return false
	}
	t.own(h)
	go func() { _, _ = h.GoOn(context.Background()) }() // a run that cannot go on says so by its events
	return true
}
