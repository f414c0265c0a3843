package jobs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/checkpoint"
	"hone/core/device/cpu"
)

// slowStore takes its time for every object.
type slowStore struct {
	jetstream.ObjectStore
	wait time.Duration
}

func (s slowStore) Put(ctx context.Context, meta jetstream.ObjectMeta, in io.Reader) (*jetstream.ObjectInfo, error) {
	select {
	case <-time.After(s.wait):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.ObjectStore.Put(ctx, meta, in)
}

// A run that saves faster than States are stored has States all the same: those of the clock, and those of a recipe that keeps
// one checkpoint.
func TestStoringIsSlowerThanSaving(t *testing.T) {
	for _, c := range []struct {
		name  string
		every time.Duration
		more  []string
	}{
		{"timed", 30 * time.Millisecond, []string{"--save_steps", "1000000"}},
		{"one is kept", time.Hour, []string{"--save_steps", "2", "--save_total_limit", "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openShop(t, time.Second)
			id := s.start(t, tinyRecipe(t, "output", 1000000, c.more...), nil)
			s.states = slowStore{s.states, 150 * time.Millisecond}
			dismiss := s.hire(t, c.every)
			first := 0
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				r, _, err := s.get(t.Context(), "ada", id)
				if err != nil {
					t.Fatal(err)
				}
				if r.State != nil && first == 0 {
					first = r.State.Step
				}
				if first > 0 && r.State.Step > first {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("after 20 s the State is %+v", r.State)
				}
			}
			dismiss()
			s.whole(t, id)
		})
	}
}

// A checkpoint that is removed while it is stored is not taken for a whole one.
func TestPartIsNoCheckpoint(t *testing.T) {
	s := openShop(t, time.Hour)
	h := s.begins(t, s.start(t, tinyRecipe(t, "output", 10), nil))
	h.checkpoint(5, "weights")
	h.checkpoint(7, "weights")
	if err := os.Remove(filepath.Join(h.runDir, "checkpoint-5", checkpoint.StateFile)); err != nil {
		t.Fatal(err)
	}
	if err := h.uploader.checkpoint(t.Context(), h.runDir, 5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if k, err := s.checkpoint(t.Context(), "ada", h.record.ID, 5); err != nil || k != nil {
		t.Errorf("%+v, %v", k, err)
	}
}

// What is held of a checkpoint goes when it is stored.
func TestHeldUntilStored(t *testing.T) {
	s := openShop(t, time.Hour)
	h := s.begins(t, s.start(t, tinyRecipe(t, "output", 10), nil))
	h.checkpoint(5, "weights")
	snap, ok := h.snapshot()
	if !ok || snap.held == "" {
		t.Fatalf("%+v", snap)
	}
	if err := os.RemoveAll(filepath.Join(h.runDir, "checkpoint-5")); err != nil {
		t.Fatal(err)
	}
	if err := h.uploader.try(snap); err != nil {
		t.Fatal(err)
	}
	snap.close()
	if left, err := os.ReadDir(filepath.Join(h.dir, "storing")); err != nil || len(left) > 0 {
		t.Errorf("%d directories are left, %v", len(left), err)
	}
	if r, _, err := s.get(t.Context(), "ada", h.record.ID); err != nil || r.State == nil || r.State.Step != 5 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A worker that ends stores the last State of its run however long that takes, as long as the engine is there.
func TestLastStateTakesLong(t *testing.T) {
	s := openShop(t, 400*time.Millisecond)
	id := s.start(t, tinyRecipe(t, "output", 1000000, "--save_steps", "1000000"), nil)
	s.states = slowStore{s.states, 400 * time.Millisecond}
	dismiss := s.hire(t, time.Hour)
	s.until(t, id, "step", stepped(3))
	dismiss()
	if r, _, err := s.get(t.Context(), "ada", id); err != nil || r.State == nil || r.Step < 3 || r.Status != Queued {
		t.Errorf("%+v, %v", r, err)
	}
}

// Who waits for the end of a worker gives it the time that its last State needs.
func TestStoringTime(t *testing.T) {
	home := t.TempDir()
	for i, path := range []string{"storing/1/checkpoint-5/weights", "output/tiny/v0-20260131-120000/checkpoint-5/weights", "output/tiny/v0-20260131-120000/checkpoint-4/weights"} {
		path = filepath.Join(workDir(home, 7), path)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, nil, 0o600)
		}
		if err == nil {
			err = os.Truncate(path, 100<<20<<i)
		}
		if err == nil && i > 0 {
			err = os.WriteFile(filepath.Join(filepath.Dir(path), checkpoint.StateFile), []byte("{}"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, other := StoringTime(home, 7), StoringTime(home, 8); got != transferTime(300<<20) || other != transferTime(0) {
		t.Errorf("%v, and %v of a process that has nothing", got, other)
	}
}

// A worker begins with a directory in which nothing is left of workers that died.
func TestDeadWorkersLeaveNothing(t *testing.T) {
	s := openShop(t, time.Second)
	home := t.TempDir()
	for _, path := range []string{"work/1/output/x", "work/1/places/0/.receiving-1", "files/.receiving-2", "files/whole"} {
		path = filepath.Join(home, path)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, []byte("x"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	dev := cpu.New(1)
	defer dev.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&Worker{Broker: s.Broker, Device: dev, Dir: home}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	var left []string
	err := filepath.WalkDir(home, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			left = append(left, filepath.Base(path))
		}
		return err
	})
	if err != nil || !slices.Equal(left, []string{"whole"}) {
		t.Errorf("%q, %v", left, err)
	}
}
