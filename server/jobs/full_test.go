package jobs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hone/core/checkpoint"
	"hone/core/wire"
)

// A run whose first State has no room ends, and says why. Once there is room for some checkpoints, its oldest ones are dropped and it is
// done.
func TestRunKeepsToTheQuota(t *testing.T) {
	s := openShop(t, time.Minute)
	r := tinyRecipe(t, "output", 8, "--save_steps", "1")
	s.places(t, r)
	used, err := s.Used(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	s.files.limit.User = used + 100
	id := s.start(t, r, nil)
	s.hire(t, time.Hour)
	rec := s.ends(t, id)
	var one int64
	_, what, _ := strings.Cut(rec.Reason, "which has ")
	if _, err := fmt.Sscanf(what, "%d bytes", &one); rec.Status != Failed || !strings.Contains(rec.Reason, "no room for the first State") || rec.Attempt != 1 || err != nil {
		t.Fatalf("it ends %s after %d attempts: %s (%v)", rec.Status, rec.Attempt, rec.Reason, err)
	}
	now, err := s.Used(t.Context(), "ada")
	if err != nil || now < used+perRun || now > used+perRun+10_000 {
		t.Errorf("%d bytes are used, %d before (%v)", now, used, err)
	}
	used = now
	s.files.limit.User = used + 4*one
	if err := s.ask(t, wire.Resume{Run: id}); err != nil {
		t.Fatal(err)
	}
	if rec := s.ends(t, id); rec.Status != Done || rec.Step != 8 {
		t.Fatalf("with some room it ends %s at step %d: %s", rec.Status, rec.Step, rec.Reason)
	}
	if now, err := s.Used(t.Context(), "ada"); err != nil || now > s.files.limit.User || now < used+2*one {
		t.Errorf("%d bytes are used, %d may be, and a State has %d (%v)", now, s.files.limit.User, one, err)
	}
	if step, _ := s.whole(t, id); step != 8 {
		t.Errorf("what is left is of step %d", step)
	}
	warned := 0
	if err := s.eachEvent(t.Context(), "ada", id, 1, func(f wire.Frame) bool {
		if f.Name == "warning" && strings.Contains(string(f.Data), "no room") {
			warned++
		}
		return true
	}); err != nil || warned != 1 {
		t.Errorf("its user is warned %d times (%v)", warned, err)
	}
}

// The best checkpoint stays as the newest does, and what has no room does not come again with the next State.
func TestBestStaysWhereThereIsNoRoom(t *testing.T) {
	s := openShop(t, time.Minute)
	id := s.start(t, tinyRecipe(t, t.TempDir(), 5), nil)
	h := s.begins(t, id)
	h.record.Quota = 1 // which is exceeded already
	if err := h.saves(1); Status(err) != 507 {
		t.Fatalf("a first State without room: %v", err)
	}
	h.record.Quota = 0
	for step := 2; step < 6; step++ {
		if err := h.saves(step); err != nil {
			t.Fatal(err)
		}
	}
	h.record.Quota = 1
	for step := 6; step < 8; step++ {
		metric := 0.5
		if _, err := checkpoint.Save(h.runDir, &checkpoint.State{Step: step, BestMetric: &metric, BestStep: 3}, func(to string) error {
			return os.WriteFile(filepath.Join(to, "weights"), []byte("of a run that knows its best"), 0o600)
		}); err != nil {
			t.Fatal(err)
		}
		snapshot, _ := h.snapshot()
		err := h.uploader.try(snapshot)
		snapshot.close()
		if err != nil {
			t.Fatal(err)
		}
		now, paths := s.whole(t, id)
		var steps []int
		for _, p := range paths {
			if step, ok := checkpointOf(p); ok && !slices.Contains(steps, step) {
				steps = append(steps, step)
			}
		}
		if now != step || !slices.Equal(steps, []int{3, step}) {
			t.Errorf("State %d, at %d: the checkpoints %v are left", now, step, steps)
		}
	}
}

// Where the disk is nearly full, nothing more comes and nothing more begins.
func TestNearlyFullDisk(t *testing.T) {
	s := openShop(t, time.Minute)
	start := s.requests(t)["new"]
	id, err := s.Submit(t.Context(), "ada", start)
	if err != nil {
		t.Fatal(err)
	}
	s.steer(t, id, "stop")
	free, dir := s.files.Free()
	if free < 0 {
		t.Fatalf("nobody knows how many bytes are free in %s", dir)
	}
	s.files.limit.Free = free + 1<<40
	start.Key = "another"
	_, begun := s.Submit(t.Context(), "ada", start)
	_, _, put := s.files.Put(t.Context(), "ada", strings.Repeat("ab", 32), 10, 0, strings.NewReader("x"))
	for what, err := range map[string]error{"a Start": begun, "a Resume": s.Resume(t.Context(), "ada", id), "a file": put} {
		var r *Refusal
		if !errors.As(err, &r) || r.Status != 507 || !strings.Contains(r.Text, "nearly full") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
