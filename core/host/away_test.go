package host

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hone/core/checkpoint"
	"hone/core/wire"
)

// The result of a run that has ended at a server comes home when the server is reached again, if its download was cut short before.
func TestResultComesLater(t *testing.T) {
	var id string
	var whole atomic.Bool
	s := openFailing(t, func(f wire.Frame) (any, *wire.Refused) {
		switch {
		case f.Name == "runs":
			return wire.RunList{Runs: []wire.Run{{ID: id, Status: statusDone, Bytes: 1}}}, nil
		case f.Name == "carry" && !whole.Load():
			return nil, &wire.Refused{Status: 500, Text: "The server could not do this."}
		case f.Name == "carry":
			return wire.Carried{Run: id, Step: 1}, nil
		}
		return wire.Told{}, nil
	})
	h := open(t, t.TempDir())
	id = ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"max_steps": 1})}).Run
	h.until("finished")
	f, err := h.goAway(id, away{Server: s.URL, There: there})
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	h.events = nil
	h.mu.Unlock()
	f.join()
	if e := h.until("warning"); !strings.Contains(string(e.Data), "could not be brought here yet") {
		t.Errorf("%s", e.Data)
	}
	h.leave(f) // as when the tab is closed
	whole.Store(true)
	h.rejoin()
	for end := time.Now().Add(30 * time.Second); h.awayRun(id) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it is still away")
		}
	}
}

// A run that has a later State here than at the server comes home to that one: nothing of it goes.
func TestHomeToFurther(t *testing.T) {
	var id string
	s := openFailing(t, func(f wire.Frame) (any, *wire.Refused) {
		switch f.Name {
		case "runs":
			return wire.RunList{Runs: []wire.Run{{ID: id, Status: statusStopped, Bytes: 1}}}, nil
		case "carry":
			return wire.Carried{Run: id, Step: 2}, nil
		}
		return wire.Told{}, nil
	})
	dir := t.TempDir()
	h := open(t, dir)
	id = ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"max_steps": 4, "save_steps": 2})}).Run
	h.until("finished")
	f, err := h.goAway(id, away{Server: s.URL, There: there, Step: 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask[wire.RunName](h, wire.Move{Run: id})
	if e := h.until("moved"); !strings.Contains(string(e.Data), `"step":4`) {
		t.Errorf("it came home with %s", e.Data)
	}
	last, _, err := checkpoint.Run{Dir: filepath.Join(dir, runsDir, filepath.FromSlash(id))}.Latest()
	if err != nil || last.Step != 4 || s.count("carry") != 1 {
		t.Errorf("here is step %d, after %d questions, %v", last.Step, s.count("carry"), err)
	}
}

// A run that is taken from its server when bringing it back was cut off goes on from what has come, and says so.
func TestLostBehindACut(t *testing.T) {
	h := open(t, t.TempDir())
	id := ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"max_steps": 10000, "save_steps": 1})}).Run
	h.until("saved")
	ask[struct{}](h, wire.Steer{Run: id, Do: "stop"})
	h.until("finished")
	dir, err := h.runDir(id)
	if err != nil {
		t.Fatal(err)
	}
	last, _, err := checkpoint.Run{Dir: dir}.Latest()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.goAway(id, away{Server: "http://127.0.0.1:1", There: there, Step: last.Step - 1}); err != nil { // the last one has come since
		t.Fatal(err)
	}
	h.mu.Lock()
	h.events = nil
	h.mu.Unlock()
	ask[wire.RunName](h, wire.Move{Run: id, Away: true})
	var moved wire.Moved
	var started wire.Started
	if err := errors.Join(json.Unmarshal(h.until("moved").Data, &moved), json.Unmarshal(h.until("started").Data, &started)); err != nil {
		t.Fatal(err)
	}
	if moved.Step != last.Step || started.StartStep != last.Step {
		t.Errorf("it came home with step %d and goes on from %d, want %d", moved.Step, started.StartStep, last.Step)
	}
	ask[struct{}](h, wire.Steer{Run: id, Do: "stop"})
}

// A single step of a run that is away has a key of its own: the link may ask for it twice.
func TestStepHasKey(t *testing.T) {
	const id = "tiny/v0-20260131-120000"
	keys := make(chan string, 2)
	s := openFailing(t, func(f wire.Frame) (any, *wire.Refused) {
		var r wire.Steer
		if f.Name == r.Name() && json.Unmarshal(f.Data, &r) == nil {
			keys <- r.Key
		}
		return wire.Told{}, nil
	})
	dir := t.TempDir()
	h := open(t, dir)
	if err := os.MkdirAll(filepath.Join(dir, runsDir, filepath.FromSlash(id)), 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := h.goAway(id, away{Server: s.URL, There: there})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		ask[struct{}](h, wire.Steer{Run: id, Do: "step"})
	}
	if a, b := <-keys, <-keys; a == "" || b == "" || a == b {
		t.Errorf("the keys are %q and %q", a, b)
	}
}

// An event of a kind that this release does not know keeps nobody from hearing the next one.
func TestHeardBehindTheUnknown(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	const id = "tiny/v0-20260131-120000"
	if err := os.MkdirAll(filepath.Join(dir, runsDir, filepath.FromSlash(id)), 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := h.goAway(id, away{Server: "https://gpu.example", There: there})
	if err != nil {
		t.Fatal(err)
	}
	defer h.leave(f)
	for i, name := range []string{"queued", "of another release", "resumed"} {
		f.heard(wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: id, Seq: uint64(i + 1), Name: name, Data: json.RawMessage(`{}`)})
	}
	h.until("queued")
	h.until("resumed")
}

// Who gives a server up and goes on here from an earlier step may bring the run there again: what the server has come to is given up. A run that
// came home as usual says nothing of the kind.
func TestGivenUp(t *testing.T) {
	starts := make(chan wire.Start, 9)
	var id atomic.Value
	s := openFailing(t, func(f wire.Frame) (any, *wire.Refused) {
		var r wire.Start
		if f.Name == r.Name() && json.Unmarshal(f.Data, &r) == nil {
			starts <- r
			return wire.RunName{Run: id.Load().(string)}, nil
		}
		return wire.Told{}, nil
	})
	h := open(t, t.TempDir())
	run := ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"max_steps": 10000, "save_steps": 1})}).Run
	id.Store(run)
	h.until("saved")
	up := wire.Move{Run: run, On: wire.Server{URL: s.URL}}
	for i, given := range []bool{false, true, false} {
		ask[wire.RunName](h, up)
		if r := <-starts; r.From == nil || r.From.Instead != given {
			t.Errorf("move %d: it brings %+v", i+1, r.From)
		}
		h.mu.Lock()
		h.events = nil
		h.mu.Unlock()
		if i == 1 { // it comes home as if the server had brought it
			if _, err := h.settle(h.awayRun(run), 1, false); err != nil {
				t.Fatal(err)
			}
			continue
		}
		ask[wire.RunName](h, wire.Move{Run: run, Away: true})
		if i == 0 {
			h.until("stepped")
		}
	}
	ask[struct{}](h, wire.Steer{Run: run, Do: "stop"})
}
