package jobs

import (
	"testing"
	"time"

	"hone/core/run"
	"hone/core/wire"
)

// drawn are the losses that a page shows of a run, by step, and how many of its steps were told: it takes events as it does.
func (s *shop) drawn(t *testing.T, id string) (points []wire.Stepped, told map[int]int) {
	t.Helper()
	told = map[int]int{}
	var c wire.Curve
	if err := s.eachEvent(t.Context(), "ada", id, 1, func(f wire.Frame) bool {
		e, err := wire.ParseEvent(f.Name, f.Data)
		if err != nil {
			t.Error(err)
		}
		if s, ok := e.(wire.Stepped); ok {
			told[s.Step]++
		}
		c.Take(e)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return c.Points, told
}

// A worker that dies far behind its last State leaves no hole in the curve: what it has told stands, and is told once.
func TestCurveWhenAWorkerDies(t *testing.T) {
	s := openShop(t, time.Minute)
	id := s.start(t, tinyRecipe(t, "output", 12), nil)
	var h *hand
	tells := func(from, to int) {
		h = s.begins(t, id)
		h.control = run.Control{}
		h.hear(wire.Started{Directory: h.runDir, StartStep: from, TotalSteps: 12})
		for step := from + 1; step <= to; step++ {
			h.hear(wire.Stepped{Step: step, Loss: float64(step)})
			if step%4 == 0 {
				h.hear(wire.Evaluated{Step: step, EvalLoss: 1})
			}
		}
		if err := h.events.close(); err != nil {
			t.Fatal(err)
		}
	}
	tells(0, 9)  // with a State of step 5
	tells(5, 7)  // and dies before it has news
	tells(5, 12) // to the end
	points, told := s.drawn(t, id)
	for i, p := range points {
		if p.Step != i+1 {
			t.Fatalf("step %d is drawn in the place of %d", p.Step, i+1)
		}
	}
	if len(points) != 12 || len(told) != 12 {
		t.Errorf("%d points of %d steps", len(points), len(told))
	}
	for step, n := range told {
		if n != 1 {
			t.Errorf("step %d is told %d times", step, n)
		}
	}
}

// A run comes again with a past that is not the one which was told here: the curve is that of its own log, and what follows.
func TestCurveOfAnotherPast(t *testing.T) {
	s, r, id := doneHere(t)
	from, dir := s.pastOf(t, id, 5)
	s.changeLoss(t, from, dir, 4)
	from.Instead = true
	s.start(t, r, from)
	s.ends(t, id)
	points, told := s.drawn(t, id)
	if len(points) != 12 || points[3].Loss != 7.5 || told[3] != 1 || told[4] != 2 || told[12] != 2 {
		t.Errorf("drawn %v, told %v", points, told)
	}
}
