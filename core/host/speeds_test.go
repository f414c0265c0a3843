package host

import (
	"math"
	"path/filepath"
	"testing"

	"hone/core/wire"
)

// TestSpeeds measures a run of small steps on a card that mostly waits: it says how long runs of such steps take, and nothing of others;
// and so for one of large steps.
func TestSpeeds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "speeds.json")
	plan := func(each float64) wire.Plan { return wire.Plan{Steps: 100, FLOPs: 100 * each} }
	ran := func(s *speeds, each, seconds float64) { // of a step
		s.learn("card", wire.Started{Plan: plan(each), TotalSteps: 100})
		for i := range 10 {
			s.learn("card", wire.Stepped{Step: i + 1, Elapsed: float64(i+1) * seconds})
		}
		s.learn("card", wire.Finished{})
	}
	s := &speeds{path: path}
	ran(s, 1e9, 0.05)
	s = &speeds{path: path} // the next day
	about := func(device string, each, want float64) {
		t.Helper()
		if got := s.seconds(device, plan(each)); math.Abs(got-want) > 1e-6*want {
			t.Errorf("100 steps of %g operations on the %s take %g s, want %g", each, device, got, want)
		}
	}
	about("card", 1e9, 5)
	about("card", 2e9, 10)
	about("card", 5e11, 0) // not the 40 minutes that small steps would make of it
	about("card", 1e7, 0)
	about("processor", 1e9, 0)
	ran(s, 5e11, 0.5)
	about("card", 5e11, 50)
	about("card", 1e9, 5)
}
