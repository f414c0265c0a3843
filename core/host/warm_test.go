package host

import (
	"context"
	"testing"
	"time"

	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/recipe"
	"hone/core/wire"
)

// slow is a device that says when it compiles ahead of a run, and for which planner.
type slow struct {
	device.Device
	planner device.Device
	warmed  chan device.Device
}

func (s *slow) Planner() device.Device { return s.planner }

func (s *slow) Warm(planner device.Device) error {
	s.warmed <- planner
	return nil
}

// TestWarm asks that the kernels of the last forecast are compiled once the user rests, and only those.
func TestWarm(t *testing.T) {
	s := &slow{Device: cpu.New(1), planner: cpu.New(1), warmed: make(chan device.Device, 9)}
	h := open(t, t.TempDir(), func(o *Options) {
		o.Device = func(context.Context, recipe.Recipe) (device.Device, error) { return s, nil }
	})
	ask[wire.Host](h, wire.Hello{})
	for range 3 {
		ask[wire.Forecasted](h, wire.Forecast{Recipe: settings(nil)})
	}
	select {
	case p := <-s.warmed:
		if p != s.planner {
			t.Errorf("it compiles for the planner %v", p)
		}
	case <-time.After(time.Minute):
		t.Fatal("nothing is compiled ahead of the run")
	}
	time.Sleep(2 * restTime)
	if n := len(s.warmed); n > 1 { // a slow machine may have rested between forecasts
		t.Errorf("it compiles %d more times", n)
	}
}
