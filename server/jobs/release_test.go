package jobs

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hone/core/wire"
)

// released waits until a run has given its device back after a step, and nothing of it is in the queue.
func (s *shop) released(t *testing.T, id string, step int) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		r, _, err := s.get(t.Context(), "ada", id)
		last, err2 := s.lastEvent(t.Context(), "ada", id)
		i, err3 := s.jobs.Info(t.Context())
		if err != nil || err2 != nil || err3 != nil {
			t.Fatal(err, err2, err3)
		}
		if e, err := wire.ParseEvent(last.frame.Name, last.frame.Data); err == nil && r.Released && r.Status == Paused && r.Step == step && i.State.Msgs == 0 {
			if e == (wire.Paused{Step: step, Released: true}) {
				return
			}
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("it is not released at step %d: %+v; the last event is %s %s; %d messages", step, r, last.frame.Name, last.frame.Data, i.State.Msgs)
		}
	}
}

func (s *shop) steer(t *testing.T, id string, do ...string) {
	t.Helper()
	for _, what := range do {
		if err := s.ask(t, wire.Steer{Run: id, Do: what}); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// A run that is paused for long gives its device to others, does single steps, and goes on to the result of one that was never paused,
// whatever dies in between.
func TestReleased(t *testing.T) {
	const steps = 8
	s := openShop(t, time.Second)
	want := alone(t, tinyRecipe(t, t.TempDir(), steps))
	id := s.start(t, tinyRecipe(t, "output", steps), nil)
	s.steer(t, id, "pause")
	dismiss := s.hireAs(t, &Worker{Every: time.Hour, Patience: 50 * time.Millisecond})
	s.released(t, id, 0)
	other := s.start(t, tinyRecipe(t, "output", 2), nil)
	if r := s.ends(t, other); r.Status != Done {
		t.Fatalf("another run, beside one that is paused: %+v", r)
	}
	s.steer(t, id, "step")
	s.released(t, id, 1)
	s.steer(t, id, "step")
	s.released(t, id, 2)
	s.steer(t, id, "save")

	// A worker that died before the queue heard that it has released the run: nobody begins anew.
	r, _, err := s.get(t.Context(), "ada", id)
	if err == nil {
		err = s.enqueue(t.Context(), r)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.released(t, id, 2)
	if now, _, err := s.get(t.Context(), "ada", id); err != nil || now.Attempt != r.Attempt {
		t.Errorf("%+v, %v", now, err)
	}
	dismiss()

	// A server that died between two writes of "continue", or a worker that did not look again.
	if err := s.wanted.Purge(t.Context(), keyOf("ada", id)); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, _, err := s.get(t.Context(), "ada", id); err != nil || r.Status != Queued || r.Released {
		t.Fatalf("%+v, %v", r, err)
	}
	s.hire(t, time.Hour)
	if r := s.ends(t, id); r.Status != Done {
		t.Fatalf("%+v", r)
	}
	dir := filepath.Join(t.TempDir(), "run")
	s.bring(t, id, dir)
	sameRun(t, want, dir, steps)
	s.sameEvents(t, id, losses(t, want))
	if found, err := filepath.Glob(filepath.Join(dir, "checkpoint-2")); err != nil || len(found) != 1 {
		t.Errorf("what its user had saved is gone (%v)", err)
	}
}

// A single step is done once, however often it is asked for with its key: by a worker, of a run that has none, and of one that waits for one.
func TestStepAskedAgain(t *testing.T) {
	s := openShop(t, time.Second)
	id := s.start(t, tinyRecipe(t, "output", 100), nil)
	again := func(key string) {
		t.Helper()
		for range 3 {
			if err := s.ask(t, wire.Steer{Run: id, Do: "step", Key: key}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.steer(t, id, "pause")
	dismiss := s.hireAs(t, &Worker{Every: time.Hour, Patience: time.Second})
	s.until(t, id, "pause", func(name string, _ int) bool { return name == "paused" })
	again("a")
	s.until(t, id, "a step", stepped(1))
	again("a")
	again("b")
	s.released(t, id, 2)
	dismiss()
	again("b")
	if r, _, err := s.get(t.Context(), "ada", id); err != nil || !r.Released {
		t.Fatalf("%+v, %v", r, err)
	}
	again("c")
	again("d")
	if r, _, err := s.get(t.Context(), "ada", id); err != nil || r.Until != 4 {
		t.Fatalf("%+v, %v", r, err)
	}
	s.hireAs(t, &Worker{Every: time.Hour, Patience: 50 * time.Millisecond})
	s.released(t, id, 4)
	again("c")
	again("d")
	if r, _, err := s.get(t.Context(), "ada", id); err != nil || !r.Released || r.Step != 4 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := s.ask(t, wire.Steer{Run: id, Do: "step", Key: strings.Repeat("k", maxKey+1)}); Status(err) != 413 {
		t.Errorf("%v", err)
	}
}

// The rate of a released run can be set, it is carried, and it is stopped and deleted at once.
func TestSteeredWhileReleased(t *testing.T) {
	s := openShop(t, time.Second)
	id := s.start(t, tinyRecipe(t, "output", 100, "--lr_scheduler_type", "constant", "--warmup_ratio", "0"), nil)
	s.steer(t, id, "pause")
	s.hireAs(t, &Worker{Every: time.Hour, Patience: 50 * time.Millisecond})
	s.released(t, id, 0)
	for _, r := range []wire.Request{wire.Steer{Run: id, Do: "rate", LearningRate: -1}, wire.Answer{Run: id, Prompt: "hello", Sides: "both"}, wire.Delete{Path: "runs/" + id}} {
		if err := s.ask(t, r); Status(err) != 409 && Status(err) != 400 {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if err := s.ask(t, wire.Steer{Run: id, Do: "rate", LearningRate: 5e-3}); err != nil {
		t.Fatal(err)
	}
	for step := 1; step <= 2; step++ { // the State remembers it
		s.steer(t, id, "step")
		s.released(t, id, step)
	}
	told, rates := 0, []float64{}
	if err := s.eachEvent(t.Context(), "ada", id, 1, func(f wire.Frame) bool {
		switch e, _ := wire.ParseEvent(f.Name, f.Data); e := e.(type) {
		case wire.RateChanged:
			told++
		case wire.Stepped:
			rates = append(rates, e.LearningRate)
		}
		return true
	}); err != nil || told != 1 || len(rates) != 2 || rates[0] != 5e-3 || rates[1] != 5e-3 {
		t.Errorf("the rates are %v, the change was told %d times (%v)", rates, told, err)
	}
	if c, err := wire.AskCarried(t.Context(), s.desk, id); err != nil || c.Step != 2 {
		t.Errorf("step %d is carried, %v", c.Step, err)
	}
	s.steer(t, id, "stop")
	if r, _, err := s.get(t.Context(), "ada", id); err != nil || r.Status != Stopped || r.Released {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := s.ask(t, wire.Delete{Path: "runs/" + id}); err != nil {
		t.Error(err)
	}
}

// What comes while a run gives its device back is not lost: it goes on, or is stopped.
func TestSteeredWhileReleasing(t *testing.T) {
	s := openShop(t, time.Second)
	s.hireAs(t, &Worker{Every: time.Hour, Patience: time.Millisecond})
	for range 3 {
		id := s.start(t, tinyRecipe(t, "output", 3), nil)
		s.steer(t, id, "pause")
		s.until(t, id, "pause", func(name string, _ int) bool { return name == "paused" })
		s.steer(t, id, "step", "step", "continue")
		if r := s.ends(t, id); r.Status != Done {
			t.Errorf("%+v", r)
		}
	}
}
