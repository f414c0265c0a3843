package jobs

import (
	"testing"
	"time"

	"hone/core/wire"
)

// A learning_rate that is set while a run goes on is what the next worker begins with, although this one dies before a State has it; and
// once a State has it, the record need not.
func TestRateOutlivesItsWorker(t *testing.T) {
	s := openShop(t, time.Minute)
	id := s.start(t, tinyRecipe(t, "output", 100_000, "--save_steps", "100000"), nil)
	dismiss := s.hire(t, time.Hour)
	s.until(t, id, "step", stepped(2))
	rate := func(want float64) {
		t.Helper()
		for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			r, _, err := s.get(t.Context(), "ada", id)
			if err == nil && r.Rate == want {
				return
			}
			if time.Since(began) > 20*time.Second {
				t.Fatalf("the next worker begins with %v, want %v (%v)", r.Rate, want, err)
			}
		}
	}
	if err := s.ask(t, wire.Steer{Run: id, Do: "rate", LearningRate: 5e-3}); err != nil {
		t.Fatal(err)
	}
	rate(5e-3)
	s.steer(t, id, "save")
	rate(0)
	dismiss()

	// A State that was on its way when it was set again has the one before.
	h := s.begins(t, id)
	h.rate = 1e-3
	h.checkpoint(1_000_000, "weights")
	on, _ := h.snapshot()
	defer on.close()
	if _, err := s.update(t.Context(), "ada", id, func(r *Record) error { r.Rate = 2e-3; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := h.uploader.try(on); err != nil {
		t.Fatal(err)
	}
	rate(2e-3)
}
