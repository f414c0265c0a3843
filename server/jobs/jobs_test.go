package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hone/core/checkpoint"
	"hone/core/device/cpu"
	"hone/core/recipe"
	"hone/core/run"
	"hone/core/wire"
	"hone/server/auth"
)

// shop is a broker with what a user needs.
type shop struct {
	*Broker
	files *Files
	desk  *Desk
	dir   string
}

func openShop(t *testing.T, lease time.Duration) *shop {
	t.Helper()
	dir := t.TempDir()
	b, err := Open(t.Context(), Options{DataDir: dir, Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	f, err := NewFiles(b, filepath.Join(dir, "uploads"), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return &shop{b, f, &Desk{Broker: b, Who: auth.Identity{User: "ada", Scope: auth.Run}}, dir}
}

// hire starts a worker; dismiss ends it.
func (s *shop) hire(t *testing.T, every time.Duration) (dismiss func()) {
	t.Helper()
	return s.hireAs(t, &Worker{Every: every})
}

func (s *shop) hireAs(t *testing.T, w *Worker) (dismiss func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	dev := cpu.New(1)
	w.Broker, w.Device = s.Broker, dev
	if w.Dir == "" {
		w.Dir = t.TempDir()
	}
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	gone := false
	dismiss = func() {
		if gone {
			return
		}
		gone = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		dev.Close()
	}
	t.Cleanup(dismiss)
	return dismiss
}

func golden(name ...string) string {
	return filepath.Join(append([]string{"..", "..", "testdata", "golden"}, name...)...)
}

// tinyRecipe trains a small model of random weights.
func tinyRecipe(t *testing.T, output string, steps int, more ...string) recipe.Recipe {
	t.Helper()
	model, err := filepath.Abs(golden("tiny_llama"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := filepath.Abs(golden("tiny_lora", "dataset.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(append([]string{"--model", model, "--dataset", rows, "--max_steps", fmt.Sprint(steps), "--save_steps", "5", "--logging_steps", "1",
		"--gradient_accumulation_steps", "4", "--output_dir", output, "--device", "cpu"}, more...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// send brings a file to the shop in two pieces.
func (s *shop) send(t *testing.T, path string) wire.Blob {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sha, size, err := hashOf(path)
	if err != nil {
		t.Fatal(err)
	}
	half := size / 2
	have, whole, err := s.files.Put(t.Context(), "ada", sha, size, 0, bytes.NewReader(raw[:half]))
	if err == nil && !whole {
		have, whole, err = s.files.Put(t.Context(), "ada", sha, size, have, bytes.NewReader(raw[have:]))
	}
	if err != nil || !whole || have != size {
		t.Fatalf("%s: %d of %d, %v, %v", path, have, size, whole, err)
	}
	return wire.Blob{Path: filepath.Base(path), Size: size, SHA256: sha}
}

// places sends what a tiny recipe names.
func (s *shop) places(t *testing.T, r recipe.Recipe) []wire.Place {
	t.Helper()
	model := wire.Place{Name: r.Model, Folder: true}
	files, err := checkpoint.ModelFiles(r.Model)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		model.Files = append(model.Files, s.send(t, f))
	}
	return []wire.Place{model, {Name: r.Dataset[0], Files: []wire.Blob{s.send(t, r.Dataset[0])}}}
}

func (s *shop) start(t *testing.T, r recipe.Recipe, from *wire.Carried) string {
	t.Helper()
	raw, err := r.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	name, err := wire.Ask[wire.RunName](t.Context(), s.desk, wire.Start{Recipe: raw, Places: s.places(t, r), From: from, Priority: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return name.Run
}

// list are the records of a user.
func (s *shop) list(ctx context.Context, user string) (all []*Record, err error) {
	err = s.each(ctx, user, func(r *Record) error {
		all = append(all, r)
		return nil
	})
	return all, err
}

// ends waits until a run is over and gives its record.
func (s *shop) ends(t *testing.T, id string) *Record {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		r, _, err := s.get(t.Context(), "ada", id)
		if err != nil {
			t.Fatal(err)
		}
		last, err := s.lastEvent(t.Context(), "ada", id)
		if err != nil {
			t.Fatal(err)
		}
		if over(r.Status) && (last.frame.Name == "finished" || last.frame.Name == "failed") {
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("run %s is still %s after a minute; its last event is %+v", id, r.Status, last.frame)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// bring writes the files of a run's State to a directory.
func (s *shop) bring(t *testing.T, id, dir string) {
	t.Helper()
	c, err := wire.Ask[wire.Carried](t.Context(), s.desk, wire.Carry{Run: id}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Files {
		_, in, err := s.files.Open(t.Context(), "ada", id, f.Path)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, raw, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// alone does a recipe here, without any server.
func alone(t *testing.T, r recipe.Recipe) string {
	t.Helper()
	dev := cpu.New(1)
	defer dev.Close()
	result, err := run.Start(t.Context(), r, dev, func(wire.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	return result.Run
}

// losses are the log lines of a run directory, by step.
func losses(t *testing.T, dir string) map[int]float64 {
	t.Helper()
	lines, err := checkpoint.Run{Dir: dir}.ReadLog()
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]float64{}
	for _, raw := range lines {
		var l struct {
			Step int      `json:"step"`
			Loss *float64 `json:"loss"`
		}
		if err := json.Unmarshal(raw, &l); err != nil {
			t.Fatal(err)
		}
		if l.Loss == nil {
			continue
		}
		if _, twice := out[l.Step]; twice {
			t.Errorf("step %d stands in the log twice", l.Step)
		}
		out[l.Step] = *l.Loss
	}
	return out
}

// sameRun compares two run directories: losses of all steps, adapter and moments of the last one.
func sameRun(t *testing.T, want, got string, steps int) {
	t.Helper()
	a, b := losses(t, want), losses(t, got)
	for step := 1; step <= steps; step++ {
		if x, ok := a[step]; !ok || b[step] != x {
			t.Errorf("step %d: loss %v, want %v (%v)", step, b[step], x, ok)
		}
	}
	if len(b) != steps {
		t.Errorf("%d steps in the log, want %d", len(b), steps)
	}
	for _, name := range []string{checkpoint.AdapterTensors, checkpoint.AdapterFile, checkpoint.StateTensors} {
		last := fmt.Sprintf("checkpoint-%d", steps)
		x, err := os.ReadFile(filepath.Join(want, last, name))
		y, err2 := os.ReadFile(filepath.Join(got, last, name))
		if err != nil || err2 != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs (%v, %v)", name, err, err2)
		}
	}
}

// sameEvents checks that the journal has no gap and each step once.
func (s *shop) sameEvents(t *testing.T, id string, want map[int]float64) {
	t.Helper()
	seen, next := map[int]float64{}, uint64(1)
	err := s.eachEvent(t.Context(), "ada", id, 1, func(f wire.Frame) bool {
		if f.Seq != next {
			t.Errorf("event %d where %d comes next", f.Seq, next)
		}
		next = f.Seq + 1
		e, err := wire.ParseEvent(f.Name, f.Data)
		if err != nil {
			t.Error(err)
		}
		if e, ok := e.(wire.Stepped); ok {
			if _, twice := seen[e.Step]; twice {
				t.Errorf("step %d is told twice", e.Step)
			}
			seen[e.Step] = e.Loss
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for step, loss := range want {
		if seen[step] != loss {
			t.Errorf("step %d was told with loss %v, want %v", step, seen[step], loss)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("%d steps were told, want %d", len(seen), len(want))
	}
}

// A run on a worker is the run that a user would have had at home, bit for bit.
func TestOneRun(t *testing.T) {
	s := openShop(t, time.Second)
	s.hire(t, time.Hour)
	want := alone(t, tinyRecipe(t, t.TempDir(), 12))
	r := tinyRecipe(t, "output", 12)
	id := s.start(t, r, nil)
	rec := s.ends(t, id)
	if rec.Status != Done || rec.Step != 12 || rec.Steps != 12 {
		t.Fatalf("%+v", rec)
	}
	dir := filepath.Join(t.TempDir(), "run")
	s.bring(t, id, dir)
	sameRun(t, want, dir, 12)
	s.sameEvents(t, id, losses(t, want))
	args, err := checkpoint.Run{Dir: dir}.ReadArgs()
	if err != nil || bytes.Contains(args, []byte(filepath.Dir(t.TempDir()))) {
		t.Errorf("the recipe names a place of the worker: %s (%v)", args, err)
	}
	// Others see nothing of it.
	other := &Desk{Broker: s.Broker, Who: auth.Identity{User: "bob", Scope: auth.Admin}}
	for _, q := range []wire.Request{wire.Replay{Run: id}, wire.Carry{Run: id}, wire.Steer{Run: id, Do: "stop"}, wire.Resume{Run: id}, wire.Note{Run: id}, wire.Delete{Path: "runs/" + id}} {
		if _, err := other.Ask(t.Context(), q.Name(), q, nil); Status(err) != 404 {
			t.Errorf("%s of another user's run: %v", q.Name(), err)
		}
	}
	if _, _, err := s.files.Open(t.Context(), "bob", id, "args.json"); Status(err) != 404 {
		t.Errorf("a file of another user's run: %v", err)
	}
	if err := s.Delete(t.Context(), "ada", id); err != nil {
		t.Fatal(err)
	}
	if all, err := s.states.List(t.Context()); err == nil && len(all) > 0 {
		t.Errorf("%d files of a deleted run are left", len(all))
	}
}
