package host

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hone/core/bundle"
	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/filelock"
	"hone/core/move"
	"hone/core/recipe"
	"hone/core/run"
	"hone/core/wire"
)

// here is a host in a directory, with all that it told.
type here struct {
	*Host
	t      *testing.T
	mu     sync.Mutex
	events []wire.Frame
}

// comes is what comes with the program, as a Bundle.
func comes() Bundle {
	files := bundle.FS()
	return Bundle{
		Files: func(context.Context) (list []wire.Blob, err error) {
			err = fs.WalkDir(files, ".", func(path string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				raw, err := fs.ReadFile(files, path)
				sum := sha256.Sum256(raw)
				list = append(list, wire.Blob{Path: path, Size: int64(len(raw)), SHA256: hex.EncodeToString(sum[:])})
				return err
			})
			return list, err
		},
		Open: func(_ context.Context, path string) (io.ReadCloser, error) { return files.Open(path) },
	}
}

func open(t *testing.T, dir string, change ...func(*Options)) *here {
	t.Helper()
	t.Setenv("HONE_HOME", filepath.Join(dir, "cache"))
	o := Options{Dir: dir, Bundle: comes(), SaveEvery: time.Hour, Device: func(context.Context, recipe.Recipe) (device.Device, error) { return cpu.New(2), nil }}
	for _, f := range change {
		f(&o)
	}
	host, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	h := &here{Host: host, t: t}
	host.Watch(func(f wire.Frame) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events = append(h.events, f)
	})
	t.Cleanup(func() { host.Close() })
	return h
}

func ask[R any](h *here, r wire.Request) R {
	h.t.Helper()
	reply, err := wire.Ask[R](h.t.Context(), h, r, nil)
	if err != nil {
		h.t.Fatalf("%s: %v", r.Name(), err)
	}
	return reply
}

func refusal(h *here, r wire.Request) string {
	h.t.Helper()
	_, err := h.Ask(h.t.Context(), r.Name(), r, nil)
	if err == nil {
		h.t.Fatalf("%s is not refused", r.Name())
	}
	return err.Error()
}

// until waits for an event of that name.
func (h *here) until(name string) wire.Frame {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		h.mu.Lock()
		at := slices.IndexFunc(h.events, func(f wire.Frame) bool { return f.Name == name })
		h.mu.Unlock()
		if at >= 0 {
			return h.events[at]
		}
	}
	h.t.Fatalf("no event %s comes; there were %v", name, h.names())
	return wire.Frame{}
}

func (h *here) names() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, f := range h.events {
		out = append(out, fmt.Sprint(f.Seq, " ", f.Name, " ", string(f.Data)))
	}
	return out
}

// losses are those of the events, by step; a later one replaces an earlier one.
func losses(events []wire.Frame) map[int]float64 {
	out := map[int]float64{}
	for _, f := range events {
		if e, err := wire.ParseEvent(f.Name, f.Data); err == nil {
			if s, ok := e.(wire.Stepped); ok {
				out[s.Step] = s.Loss
			}
		}
	}
	return out
}

// settings is a short run on what comes with the program.
func settings(more map[string]any) json.RawMessage {
	all := map[string]any{"model": "bundle/model", "dataset": []string{"bundle/" + rows()}, "max_steps": 6, "logging_steps": 1, "per_device_train_batch_size": 2,
		"gradient_accumulation_steps": 1, "max_length": 64, "learning_rate": 1e-3, "seed": 7}
	for k, v := range more {
		all[k] = v
	}
	raw, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return raw
}

// rows is the name of a file of rows in the bundle.
func rows() string {
	for _, f := range []string{"world.json", "instructions.json"} {
		if _, err := fs.Stat(bundle.FS(), f); err == nil {
			return f
		}
	}
	panic("the bundle has no rows")
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	if soon := ask[wire.Host](h, wire.Hello{Soon: true}); soon.Kind != "" || soon.Reason != "" || len(soon.Data) == 0 {
		t.Errorf("a greeting that does not wait for the device: %+v", soon)
	}
	hello := ask[wire.Host](h, wire.Hello{})
	if soon := ask[wire.Host](h, wire.Hello{Soon: true}); soon.Kind != hello.Kind {
		t.Errorf("when the device is open, a greeting has %q", soon.Kind)
	}
	if hello.Kind != "cpu" || len(hello.Models) != 1 || hello.Models[0].Path != "bundle/model" || !hello.Models[0].Bundled || len(hello.Data) == 0 {
		t.Fatalf("%+v", hello)
	}
	if m := ask[wire.Model](h, wire.Inspect{Model: "bundle/model"}); m.Architecture != "llama" || m.Parameters < 1000 || m.ByKind["embedding"] == 0 || !m.Bundled {
		t.Errorf("%+v", m)
	}
	look := ask[wire.Preview](h, wire.Look{Recipe: settings(nil), Rows: 3, From: 2})
	if len(look.Shown) != 3 || look.Shown[0].Row != 3 || len(look.Columns) < 2 || look.Rows.Kept == 0 {
		t.Errorf("%+v", look)
	}
	sum := 0
	for _, n := range look.Lengths.Counts {
		sum += n
	}
	if sum != look.Rows.Train || len(look.Lengths.Edges) != len(look.Lengths.Counts)+1 {
		t.Errorf("%+v of %d rows", look.Lengths, look.Rows.Train)
	}
	renamed := ask[wire.Preview](h, wire.Look{Recipe: settings(map[string]any{"columns": `{"instruction":"what"}`}), Rows: 3})
	if renamed.Refusal == "" || !slices.Equal(renamed.Columns, look.Columns) {
		t.Errorf("%+v", renamed)
	}
	f, err := wire.Ask[wire.Forecasted](t.Context(), h, wire.Forecast{Recipe: settings(nil)}, func(name string, _ json.RawMessage) {
		if name == "loading" {
			t.Error("rows that were looked at are read again for a forecast")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if f.Plan.Steps != 6 || f.Total == 0 || f.Refusal != "" || !strings.Contains(f.Line, "hone sft --model bundle/model") || !strings.Contains(f.Line, "--max_steps 6") {
		t.Errorf("%+v", f)
	}
	if f = ask[wire.Forecasted](h, wire.Forecast{Recipe: settings(map[string]any{"device_memory": 1 << 20})}); f.Refusal == "" || f.Plan.Weights == 0 || f.Budget != 1<<20 {
		t.Errorf("%+v", f)
	}

	name := ask[wire.RunName](h, wire.Start{Recipe: settings(nil)})
	if again := refusal(h, wire.Start{Recipe: settings(nil)}); !strings.Contains(again, name.Run) {
		t.Error(again)
	}
	h.until("finished")
	for i, e := range h.events {
		if e.Run != name.Run || e.Seq != uint64(i+1) {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	told := ask[wire.Told](h, wire.Replay{Run: name.Run, Seq: 1})
	if !slices.EqualFunc(told.Events, h.events, func(a, b wire.Frame) bool { return a.Seq == b.Seq && bytes.Equal(a.Data, b.Data) }) || told.Next != uint64(len(h.events)+1) {
		t.Errorf("replayed are %d of %d events, next %d", len(told.Events), len(h.events), told.Next)
	}
	if late := ask[wire.Told](h, wire.Replay{Run: name.Run, Seq: 4}); len(late.Events) != len(told.Events)-3 || late.Events[0].Seq != 4 {
		t.Errorf("from 4 on: %d", len(late.Events))
	}
	waitIdle(h)
	ask[any](h, wire.Note{Run: name.Run, Text: "the first"})
	list := ask[wire.RunList](h, wire.Runs{})
	if r := list.Runs[0]; len(list.Runs) != 1 || r.ID != name.Run || !r.Finished || r.Step != 6 || r.Steps != 6 || r.Loss == 0 || r.Note != "the first" || r.Started == "" || r.Bytes == 0 {
		t.Errorf("%+v", list.Runs)
	}
	if f = ask[wire.Forecasted](h, wire.Forecast{Recipe: settings(nil)}); f.Seconds <= 0 {
		t.Error("after a run no time is forecast")
	}
	var grown strings.Builder
	said, err := wire.Ask[wire.Answers](t.Context(), h, wire.Answer{Run: name.Run, Prompt: "What is red?", Sides: "both", Tokens: 8, TopK: 3}, func(_ string, raw json.RawMessage) {
		var p wire.Text
		if json.Unmarshal(raw, &p) == nil && p.Side == "tuned" {
			grown.WriteString(p.Text)
		}
	})
	if err != nil || said.Base == nil || said.Tuned == nil || said.Step != 6 || len(said.Tuned.Top) != 3 || grown.String() != said.Tuned.Text {
		t.Errorf("%+v, %q, %v", said, grown.String(), err)
	}
	alone := ask[wire.Answers](h, wire.Answer{Model: "bundle/model", Prompt: "The weather", Raw: true, Sides: "base", Tokens: 4, TopK: 2})
	if alone.Base == nil || len(alone.Base.Top) != 2 {
		t.Errorf("%+v", alone)
	}
	exports(h, name.Run)
	if text := refusal(h, wire.Delete{Path: "runs"}); !strings.Contains(text, "not to be deleted") {
		t.Error(text)
	}
	ask[wire.Storage](h, wire.Delete{Path: "runs/" + name.Run})
	if list = ask[wire.RunList](h, wire.Runs{}); len(list.Runs) != 0 {
		t.Errorf("%+v", list)
	}
}

func waitIdle(h *here) {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		h.Host.mu.Lock()
		idle := h.going == nil
		h.Host.mu.Unlock()
		if idle {
			return
		}
	}
	h.t.Fatal("the run does not end")
}

// exports takes a run away in every form.
func exports(h *here, id string) {
	t := h.t
	t.Helper()
	first := ask[wire.File](h, wire.Export{Run: id, What: "adapter"})
	raw, err := os.ReadFile(filepath.Join(h.dir, first.Path))
	if err != nil || int64(len(raw)) != first.Size {
		t.Fatal(err, len(raw), first.Size)
	}
	ask[wire.File](h, wire.Export{Run: id, What: "adapter"})
	if again, err := os.ReadFile(filepath.Join(h.dir, first.Path)); err != nil || !bytes.Equal(raw, again) {
		t.Error("the second zip differs from the first", err)
	}
	out := filepath.Join(t.TempDir(), "adapter")
	unpack(t, raw, out)
	dev := cpu.New(1)
	defer dev.Close()
	p, err := run.OpenPair(t.Context(), dev, filepath.Join(h.dir, "bundle", "model"), out, run.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	for what, has := range map[string]string{"recipe": `"max_steps":6`, "card": "base_model:", "merged": "PK"} {
		f := ask[wire.File](h, wire.Export{Run: id, What: what})
		raw, err := os.ReadFile(filepath.Join(h.dir, f.Path))
		if err != nil || !strings.Contains(strings.ReplaceAll(string(raw), " ", ""), strings.ReplaceAll(has, " ", "")) {
			t.Errorf("%s: %v, %.200s", what, err, raw)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(h.dir, exportsDir, "*merged")); left != nil {
		t.Errorf("%q is left", left)
	}
}

func unpack(t *testing.T, raw []byte, dir string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
}

// A host that is closed, or dies, in the middle of a run goes on with it when it is opened again: with the losses of a run that
// was left alone, and numbers of events without a gap.
func TestGoOn(t *testing.T) {
	left := open(t, t.TempDir())
	ask[wire.RunName](left, wire.Start{Recipe: settings(nil)})
	left.until("finished")
	want := losses(left.events)

	dir := t.TempDir()
	h := open(t, dir)
	name := ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"max_steps": 6})})
	ask[any](h, wire.Steer{Run: name.Run, Do: "pause"})
	ask[any](h, wire.Steer{Run: name.Run, Do: "step"})
	h.until("paused")
	if _, err := Open(Options{Dir: dir}); !errors.As(err, new(*filelock.Held)) {
		t.Errorf("a second host on the workspace: %v", err)
	}
	// It dies: what it had told is in the journal, and in part beyond its last State.
	dead := t.TempDir()
	if err := os.CopyFS(dead, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	had := ask[wire.Told](h, wire.Replay{Run: name.Run})
	events := filepath.Join(dead, "runs", filepath.FromSlash(name.Run), eventsFile)
	f, err := os.OpenFile(events, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(`{"v":1,"kind":"event","se`)
		f.Close()
	}
	// Its recipe has the paths of the workspace that it was begun in.
	for _, file := range []string{"args.json", "manifest.json"} {
		path := filepath.Join(dead, "runs", filepath.FromSlash(name.Run), file)
		raw, readErr := os.ReadFile(path)
		err = errors.Join(err, readErr, os.WriteFile(path, bytes.ReplaceAll(raw, []byte(dir), []byte(dead)), 0o666))
	}
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
	for _, left := range []string{"data/.put-rows.jsonl", "models/own/.put-model.safetensors", "exports/merged.zip"} {
		at := filepath.Join(dead, filepath.FromSlash(left))
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o777), os.WriteFile(at, []byte("left"), 0o666)); err != nil {
			t.Fatal(err)
		}
	}

	h = open(t, dead)
	if hello := ask[wire.Host](h, wire.Hello{}); hello.Going != name.Run || !hello.Begins {
		t.Errorf("before it goes on the host says %q, %v", hello.Going, hello.Begins)
	}
	id, err := h.GoOn(t.Context())
	if err != nil || id != name.Run {
		t.Fatal(id, err)
	}
	if hello := ask[wire.Host](h, wire.Hello{}); hello.Begins {
		t.Error("it goes on, and the host says that it is only loaded")
	}
	for _, pattern := range leftovers {
		if found := checkpoint.Glob(dead, pattern); len(found) > 0 {
			t.Errorf("left are %q", found)
		}
	}
	if hello := ask[wire.Host](h, wire.Hello{}); hello.Going != id {
		t.Errorf("%+v", hello)
	}
	h.until("paused") // as it was
	ask[any](h, wire.Steer{Run: id, Do: "continue"})
	h.until("finished")
	if h.events[0].Seq != had.Next {
		t.Errorf("the first event after the death has number %d, want %d", h.events[0].Seq, had.Next)
	}
	all := ask[wire.Told](h, wire.Replay{Run: id, Seq: 1})
	for i, e := range all.Events {
		if e.Seq != uint64(i+1) {
			t.Errorf("event %d has number %d", i+1, e.Seq)
		}
	}
	if got := losses(all.Events); len(got) != 6 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("losses %v, want %v", got, want)
	}
	waitIdle(h)
	if id, err := h.GoOn(t.Context()); id != "" || err != nil {
		t.Error("a run that is over goes on", id, err)
	}
}

// While a run goes on its model answers between steps, forecasts are made, and it can be steered.
func TestSteer(t *testing.T) {
	h := open(t, t.TempDir())
	name := ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"max_steps": 1000})})
	ask[any](h, wire.Steer{Run: name.Run, Do: "pause"})
	h.until("paused")
	if f := ask[wire.Forecasted](h, wire.Forecast{Recipe: settings(nil)}); f.Plan.Steps != 6 {
		t.Errorf("%+v", f)
	}
	a := ask[wire.Answers](h, wire.Answer{Run: name.Run, Prompt: "What is red?", Sides: "both", Tokens: 4})
	if a.Base == nil || a.Tuned == nil {
		t.Errorf("%+v", a)
	}
	if text := refusal(h, wire.Answer{Model: "bundle/model", Prompt: "x", Sides: "base", Tokens: 4}); !strings.Contains(text, name.Run) {
		t.Error(text)
	}
	ask[any](h, wire.Steer{Run: name.Run, Do: "rate", LearningRate: 5e-4})
	ask[any](h, wire.Steer{Run: name.Run, Do: "save"})
	if f := ask[wire.File](h, wire.Export{Run: name.Run, What: "adapter"}); f.Size == 0 {
		t.Error("an empty adapter")
	}
	if text := refusal(h, wire.Delete{Path: "runs/" + name.Run}); !strings.Contains(text, "stop it") {
		t.Error(text)
	}
	ask[any](h, wire.Steer{Run: name.Run, Do: "stop"})
	h.until("finished")
	waitIdle(h)
	if r := ask[wire.RunList](h, wire.Runs{}).Runs[0]; r.Status != "stopped" || r.Finished {
		t.Errorf("%+v", r)
	}
	if id, err := h.GoOn(t.Context()); id != "" || err != nil {
		t.Error("a run that the user stopped goes on by itself", id, err)
	}
	ask[wire.RunName](h, wire.Resume(name))
	ask[any](h, wire.Steer{Do: "stop"})
	waitIdle(h)
}

// TestRunNames asks that runs which begin in different workspaces in the same second have different names: they may meet at a server.
func TestRunNames(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		h := open(t, t.TempDir())
		id := ask[wire.RunName](h, wire.Start{Recipe: settings(nil)}).Run
		if !move.IsID(id) || seen[id[strings.LastIndexByte(id, '-'):]] {
			t.Errorf("a run is named %q, beside %v", id, seen)
		}
		seen[id[strings.LastIndexByte(id, '-'):]] = true
	}
}
