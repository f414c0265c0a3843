package checkpoint

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hone/core/golden"
)

func TestCreate(t *testing.T) {
	out, now := filepath.Join(t.TempDir(), "out"), time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)
	const many = 24
	dirs := make([]string, many)
	var wait sync.WaitGroup
	for i := range many {
		wait.Go(func() {
			run, err := Create(out, "../models/tiny/", "", now.Add(time.Duration(i%3)*time.Second))
			if err != nil {
				t.Error(err)
			}
			dirs[i] = filepath.Base(run.Dir)
		})
	}
	wait.Wait()
	got := names(t, filepath.Join(out, "tiny"))
	if len(got) != many {
		t.Fatalf("%d directories for %d runs: %q", len(got), many, got)
	}
	// Runs that start together may leave a number out, but never share one.
	numbers := map[string]string{}
	for _, d := range dirs {
		n, _, _ := strings.Cut(d, "-")
		if other, ok := numbers[n]; ok {
			t.Errorf("%s and %s have one number", d, other)
		}
		numbers[n] = d
	}
	for i := range 3 { // one after the other they leave none out
		run, err := Create(out, "alone", "", now)
		if want := fmt.Sprintf("v%d-20250304-050607", i); err != nil || filepath.Base(run.Dir) != want {
			t.Errorf("run %d is %s (%v), want %s", i, run.Dir, err, want)
		}
	}
	run, err := Create(out, "Qwen/Qwen2.5-0.5B", "", now)
	if err != nil || run.Dir != filepath.Join(out, "Qwen2.5-0.5B", "v0-20250304-050607") {
		t.Errorf("%s, %v", run.Dir, err)
	}
	for model, want := range map[string]string{".": filepath.Base(mustAbs(t, ".")), "/": "model", "": filepath.Base(mustAbs(t, ".")), "a:b": "a_b", ".hidden": "hidden"} {
		if got := modelName(model); got != want {
			t.Errorf("model %q: directory %q, want %q", model, got, want)
		}
	}
	if err := os.WriteFile(filepath.Join(out, "file"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(out, "file", "", now); err == nil {
		t.Error("a file in the place of the model's directory is no error")
	}
}

func mustAbs(t *testing.T, path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func steps(t *testing.T, run string) []int {
	t.Helper()
	all, err := Run{run}.Checkpoints()
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, c := range all {
		out = append(out, c.Step)
	}
	return out
}

func TestPrune(t *testing.T) {
	for _, c := range []struct {
		limit, best int
		want        []int
	}{
		{0, -1, []int{2, 9, 10, 100}},
		{5, -1, []int{2, 9, 10, 100}},
		{2, -1, []int{10, 100}},
		{2, 2, []int{2, 100}},
		{1, -1, []int{100}},
		{1, 9, []int{9, 100}},
		{1, 100, []int{100}},
	} {
		run := t.TempDir()
		for _, step := range []int{100, 9, 10, 2} {
			save(t, run, step, 1)
		}
		removed, err := Run{run}.Prune(c.limit, c.best)
		if got := steps(t, run); err != nil || !slices.Equal(got, c.want) || len(removed) != 4-len(c.want) {
			t.Errorf("limit %d, best %d: %v left, %v removed, %v; want %v left", c.limit, c.best, got, removed, err, c.want)
		}
	}
}

func TestFindAndRewind(t *testing.T) {
	run := Run{filepath.Join(t.TempDir(), "v0-x")}
	if err := os.Mkdir(run.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Find(run.Dir); err == nil || !strings.Contains(err.Error(), "it has no checkpoint") {
		t.Errorf("an empty run: %v", err)
	}
	for _, step := range []int{5, 10, 15} {
		save(t, run.Dir, step, 1)
	}
	for i := 1; i <= 17; i++ {
		if err := run.AppendLog(LogLine{{"step", i}, {"loss", 0.5}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"checkpoint-99", "checkpoint-07", "checkpoint-x", "other"} { // no State, or no such name
		if err := os.Mkdir(filepath.Join(run.Dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]int{run.Dir: 15, run.Dir + "/": 15, filepath.Join(run.Dir, "checkpoint-10"): 10, filepath.Join(run.Dir, "checkpoint-5") + "/": 5} {
		got, c, err := Find(path)
		if err != nil || got != run || c.Step != want {
			t.Errorf("%s: step %d in %s, %v; want %d", path, c.Step, got.Dir, err, want)
		}
	}
	for path, want := range map[string]string{
		filepath.Join(run.Dir, "checkpoint-99"):      "no state.json",
		filepath.Join(run.Dir, "checkpoint-6"):       "no state.json",
		filepath.Join(run.Dir, ".tmp-checkpoint-20"): "never finished",
		filepath.Join(run.Dir, "nowhere"):            "nowhere",
	} {
		if _, _, err := Find(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	// A kill between the two renames of a replacement leaves the only copy under another name.
	c10 := filepath.Join(run.Dir, "checkpoint-10")
	if err := os.Rename(c10, filepath.Join(run.Dir, ".old-checkpoint-10")); err != nil {
		t.Fatal(err)
	}
	_, c, err := Find(c10)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Rewind(c); err != nil {
		t.Fatal(err)
	}
	if got := steps(t, run.Dir); !slices.Equal(got, []int{5, 10}) {
		t.Errorf("after rewinding there are %v", got)
	}
	if lines, err := run.ReadLog(); err != nil || len(lines) != 10 || string(lines[9]) != `{"step":10,"loss":0.5}` {
		t.Errorf("after rewinding the log has %d lines, %v", len(lines), err)
	}
}

func TestCleanLeavesTheRest(t *testing.T) {
	dir := t.TempDir()
	keep := []string{".old-thing", ".tmp-mine", "args.json", "checkpoint-3", ".gone-x"}
	for _, name := range append([]string{".tmp-checkpoint-3", ".old-checkpoint-3", ".gone-checkpoint-8", ".tmp-args.json", ".tmp-logging.jsonl"}, keep...) {
		if err := os.Mkdir(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := Clean(dir); err != nil {
		t.Fatal(err)
	}
	slices.Sort(keep)
	if got := names(t, dir); !slices.Equal(got, keep) {
		t.Errorf("left are %q, want %q", got, keep)
	}
}

func TestArgsAndManifest(t *testing.T) {
	run := Run{t.TempDir()}
	if _, err := run.ReadArgs(); err == nil || !strings.Contains(err.Error(), "args.json") {
		t.Errorf("a run without args.json: %v", err)
	}
	for _, text := range []string{`{"a":1}`, `{}`} {
		if err := run.WriteArgs([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := run.ReadArgs(); err != nil || string(got) != text {
			t.Errorf("args.json holds %s, %v", got, err)
		}
	}
	failAt(t, 1, false, errKilled)
	if err := run.WriteArgs([]byte("new")); err == nil {
		t.Error("a failed rename is no error")
	}
	heal()
	if got, _ := run.ReadArgs(); string(got) != "{}" {
		t.Errorf("after a failed write args.json holds %s", got)
	}
	model := golden.Own(t, "tiny_llama")
	files, err := ModelFiles(model)
	if err != nil {
		t.Fatal(err)
	}
	in, err := NewInput([]string{"tiny_llama"}, files)
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Files) < 2 || !slices.ContainsFunc(in.Files, func(f FileHash) bool { return f.Name == ModelTensors && len(f.SHA256) == 64 }) {
		t.Errorf("files of the model: %v", in.Files)
	}
	m := NewManifest("v1", time.Now())
	m.Model = in
	if err := run.WriteManifest(m); err != nil {
		t.Fatal(err)
	}
	back, err := run.ReadManifest()
	a, _ := json.Marshal(m)
	b, _ := json.Marshal(back)
	if err != nil || string(a) != string(b) {
		t.Errorf("read %s, %v, want %s", b, err, a)
	}
	other := slices.Clone(in.Files)
	other[0].Name = "renamed"
	if Digest(other) != in.Digest {
		t.Error("a renamed file changes the digest")
	}
	slices.Reverse(other)
	if Digest(other) == in.Digest {
		t.Error("another order does not change the digest")
	}
}

func TestTrainerState(t *testing.T) {
	dir, best := t.TempDir(), 0.25
	ts := NewTrainerState(&State{Step: 20, BestMetric: &best, BestStep: 10, Tokens: 99}, dir)
	ts.Epoch, ts.MaxSteps = 1.5, 40
	if err := ts.Write(dir); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, TrainerStateFile))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"global_step": 20.0, "best_metric": 0.25, "best_global_step": 10.0, "epoch": 1.5, "max_steps": 40.0,
		"best_model_checkpoint": filepath.Join(dir, "checkpoint-10"), "is_world_process_zero": true, "trial_name": nil, "num_input_tokens_seen": 99.0} {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s is %v, want %v", key, v, want)
		}
	}
	if list, ok := got["log_history"].([]any); !ok || len(list) != 0 {
		t.Errorf("log_history is %v", got["log_history"])
	}
}
