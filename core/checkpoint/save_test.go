package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"hone/core/safetensors"
)

var errKilled = errors.New("killed")

// failAt lets n changes to the disk pass and fails the next; with kill, all that follow too, so that nothing is tidied up.
// It returns how many were asked for.
func failAt(t *testing.T, n int, kill bool, err error) *int {
	count := 0
	onDisk = func(op, path string) error {
		count++
		if count == n+1 || kill && count > n {
			return fmt.Errorf("%s %s: %w", op, filepath.Base(path), err)
		}
		return nil
	}
	t.Cleanup(heal)
	return &count
}

func heal() { onDisk = func(op, path string) error { return nil } }

// tensors writes a checkpoint's files, each value being v, and stops in the middle of one when the disk says so.
func tensors(v float32) func(dir string) error {
	return func(dir string) error {
		if err := (TrainerState{GlobalStep: int(v)}).Write(dir); err != nil {
			return err
		}
		data := make([]float32, 1000)
		for i := range data {
			data[i] = v
		}
		whole := safetensors.Floats("m", data, 1000)
		torn := whole
		torn.Data = func(w io.Writer) error {
			if _, err := w.Write(make([]byte, 2000)); err != nil {
				return err
			}
			if err := onDisk("write", StateTensors); err != nil {
				// What a kill leaves of a file that was being written.
				return errors.Join(err, os.WriteFile(filepath.Join(dir, StateTensors), []byte("half"), 0o666))
			}
			_, err := w.Write(make([]byte, 2000))
			return err
		}
		if err := safetensors.WriteFile(filepath.Join(dir, StateTensors), []safetensors.Tensor{torn}, nil); err != nil {
			return err
		}
		return safetensors.WriteFile(filepath.Join(dir, ModelTensors), []safetensors.Tensor{whole}, nil)
	}
}

func save(t *testing.T, run string, step int, v float32) string {
	t.Helper()
	dir, err := Save(run, &State{Step: step, Tokens: int64(v)}, tensors(v))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// value loads a checkpoint and gives the number its tensors are made of.
func value(t *testing.T, dir string) float32 {
	t.Helper()
	s, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(filepath.Join(dir, ModelTensors))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v := make([]float32, 1000)
	if err := f.ReadF32("m", v); err != nil {
		t.Fatal(err)
	}
	if v[0] != v[999] || s.Tokens != int64(v[0]) {
		t.Fatalf("%s: state says %d, tensors %v … %v", dir, s.Tokens, v[0], v[999])
	}
	return v[0]
}

func TestSaveAndLoad(t *testing.T) {
	run, metric := t.TempDir(), 0.1234567890123
	s := &State{Step: 7, Epoch: 1, Batch: 3, MicroBatches: 1<<64 - 1, Updates: 7, BestMetric: &metric, BestStep: 5, BadEvals: 2, Tokens: 1 << 40,
		Seconds: 1.5, RecipeHash: "r", ModelHash: "m", DataHash: "d", Device: "cpu", KernelVariant: "avx512 <4×32>"}
	dir, err := Save(run, s, func(dir string) error {
		if err := os.Mkdir(filepath.Join(dir, "sub"), 0o777); err != nil {
			return err
		}
		return errors.Join(os.WriteFile(filepath.Join(dir, "sub", "a"), []byte("x"), 0o666), os.WriteFile(filepath.Join(dir, "empty"), nil, 0o666))
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(run, "checkpoint-7"); dir != want {
		t.Errorf("saved to %s, want %s", dir, want)
	}
	got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(s)
	if !bytes.Equal(a, b) || len(got.Files) != 2 || !got.Has("sub/a") || got.Has("b") || *got.BestMetric != metric {
		t.Errorf("loaded %s, want %s", a, b)
	}
	if err := got.Matches("r", "m", "d"); err != nil {
		t.Error(err)
	}
	if err := got.Matches("r", "m", "other"); err == nil || !strings.Contains(err.Error(), "data set's files") {
		t.Errorf("other data gives %v", err)
	}
	bad := *s
	bad.Batch = -1
	if _, err := Save(run, &bad, tensors(1)); err == nil {
		t.Error("a negative cursor is saved")
	}
	if _, err := Save(run, s, func(dir string) error { return os.WriteFile(filepath.Join(dir, StateFile), nil, 0o666) }); err == nil {
		t.Error("a callback's own state.json is saved")
	}
	if got := names(t, run); !slices.Equal(got, []string{"checkpoint-7"}) {
		t.Errorf("the run directory holds %q", got)
	}
}

// Whatever change to the disk fails, or is the last before a kill: the old checkpoints stay, and a new one is whole or absent.
func TestSaveFailsAnywhere(t *testing.T) {
	for _, kill := range []bool{false, true} {
		for _, step := range []int{10, 5} { // a new one; one in the place of the newest
			passed := false
			for n := 0; !passed; n++ {
				run := t.TempDir()
				save(t, run, 3, 3)
				save(t, run, 5, 5)
				failAt(t, n, kill, errKilled)
				dir, err := Save(run, &State{Step: step, Tokens: 77}, tensors(77))
				heal()
				passed = err == nil
				if err != nil && (!errors.Is(err, errKilled) || !strings.Contains(err.Error(), fmt.Sprintf("checkpoint-%d", step))) {
					t.Fatalf("change %d: %v", n, err)
				}
				if passed && value(t, dir) != 77 {
					t.Fatalf("change %d: the saved checkpoint has other values", n)
				}
				if !kill {
					for _, name := range names(t, run) {
						if strings.HasPrefix(name, tmpPrefix) {
							t.Errorf("change %d: %s is left", n, name)
						}
					}
				}
				if err := Clean(run); err != nil {
					t.Fatal(err)
				}
				for _, name := range names(t, run) {
					if !isName(name) {
						t.Errorf("change %d, kill %v: %s is left after cleaning", n, kill, name)
					}
				}
				all, err := Run{run}.Checkpoints()
				if err != nil || len(all) < 2 || all[0].Step != 3 || all[1].Step != 5 {
					t.Fatalf("change %d, kill %v: checkpoints %v, %v", n, kill, all, err)
				}
				for _, c := range all {
					want := []float32{float32(c.Step)}
					if c.Step == step {
						want = append(want, 77)
					}
					if v := value(t, c.Dir); !slices.Contains(want, v) {
						t.Errorf("change %d: checkpoint-%d holds %v, want one of %v", n, c.Step, v, want)
					}
				}
				if n > 100 {
					t.Fatal("saving never succeeds")
				}
				if passed && n < 8 {
					t.Errorf("only %d changes to the disk were tried", n)
				}
			}
		}
	}
}

func TestSaveToFullDisk(t *testing.T) {
	run := t.TempDir()
	save(t, run, 5, 5)
	failAt(t, 5, false, syscall.ENOSPC)
	_, err := Save(run, &State{Step: 6}, tensors(6))
	heal()
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free some space") || !strings.Contains(err.Error(), "checkpoint-6") {
		t.Errorf("error %v", err)
	}
	if got := names(t, run); !slices.Equal(got, []string{"checkpoint-5"}) {
		t.Errorf("the run directory holds %q", got)
	}
	if _, err := Save(filepath.Join(run, "gone"), &State{}, tensors(0)); err == nil {
		t.Error("saving into a missing directory works")
	}
}

func TestRemoveKilledAnywhere(t *testing.T) {
	for n := 0; ; n++ {
		run := t.TempDir()
		for _, step := range []int{1, 2, 3} {
			save(t, run, step, float32(step))
		}
		failAt(t, n, true, errKilled)
		removed, err := Run{run}.Prune(1, 1)
		heal()
		if e := Clean(run); e != nil {
			t.Fatal(e)
		}
		all, e := Run{run}.Checkpoints()
		if e != nil || len(all) < 2 || all[0].Step != 1 || all[len(all)-1].Step != 3 {
			t.Fatalf("change %d: %v, %v", n, all, e)
		}
		for _, c := range all {
			value(t, c.Dir)
		}
		for _, name := range names(t, run) {
			if !isName(name) {
				t.Errorf("change %d: %s is left after cleaning", n, name)
			}
		}
		if err == nil {
			if !slices.Equal(removed, []int{2}) {
				t.Errorf("removed %v, want [2]", removed)
			}
			return
		}
	}
}

func TestDamage(t *testing.T) {
	run := t.TempDir()
	dir := save(t, run, 5, 5)
	for _, name := range []string{StateTensors, ModelTensors, TrainerStateFile, StateFile} {
		path := filepath.Join(dir, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for what, bad := range map[string][]byte{
			"a changed byte": append(append(bytes.Clone(good[:len(good)/2]), good[len(good)/2]^1), good[len(good)/2+1:]...),
			"a short file":   good[:len(good)-3],
			"an empty file":  {},
			"a missing file": nil,
		} {
			if bad == nil {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path, bad, 0o666)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s in the place of %s: %v", what, name, err)
			}
		}
		if err := os.WriteFile(path, good, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err != nil {
			t.Fatal(err)
		}
	}
	// Numbers in state.json have a hash of their own.
	path := filepath.Join(dir, StateFile)
	good, _ := os.ReadFile(path)
	if err := os.WriteFile(path, bytes.Replace(good, []byte(`"step": 5`), []byte(`"step": 6`), 1), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "changed or damaged") {
		t.Errorf("a changed step: %v", err)
	}
	if err := os.WriteFile(path, bytes.Replace(good, []byte(`"format": 1`), []byte(`"format": 2`), 1), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "version of Hone") {
		t.Errorf("a later format: %v", err)
	}
}

func FuzzState(f *testing.F) {
	x := 1.5
	for _, s := range []*State{{}, {Step: 3, BestMetric: &x, Files: []FileHash{{"a/b", 1, "00"}}}} {
		data, err := s.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"format":1,"state":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, bare := range []bool{true, false} {
			if bare { // past the hash, which no fuzzer guesses
				var s State
				if strict(data, &s) != nil || s.check() != nil {
					continue
				}
				var err error
				if data, err = s.encode(); err != nil {
					t.Fatal(err)
				}
			}
			s, err := decodeState(data)
			if err != nil {
				if bare {
					t.Fatalf("what was written is refused: %v", err)
				}
				continue
			}
			for _, file := range s.Files {
				if !filepath.IsLocal(file.Name) {
					t.Fatalf("%q leaves the checkpoint", file.Name)
				}
			}
		}
	})
}
