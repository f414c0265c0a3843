package host

import (
	"fmt"
	"maps"
	"math"
	"sync"

	"hone/core/wire"
)

// speeds are the operations a second that runs have come to: what a forecast of time stands on. They are kept by device and by how large
// a step is, since a graphics card that works on small steps mostly waits.
type speeds struct {
	path string

	mu     sync.Mutex
	loaded bool
	known  map[string]float64

	// Of the run that is going on.
	steps   int     // done before it was gone on with
	each    float64 // operations of a step
	spoiled bool    // it was paused, so its time is not that of its work
}

func (s *speeds) load() {
	if !s.loaded {
		s.loaded, s.known = true, map[string]float64{}
		readFile(s.path, &s.known)
	}
}

// seconds is how long a run of a plan takes on a device, 0 where no run with steps of about that size was measured.
func (s *speeds) seconds(device string, p wire.Plan) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load()
	if speed := s.known[stepsOf(device, p.FLOPs/float64(max(p.Steps, 1)))]; speed > 0 {
		return p.FLOPs / speed
	}
	return 0
}

// stepsOf names steps on a device by the order of magnitude of their operations.
func stepsOf(device string, operations float64) string {
	return fmt.Sprintf("%s, steps of 1e%.0f", device, math.Log10(max(operations, 1)))
}

// learn measures a run by its events.
func (s *speeds) learn(device string, e wire.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load()
	measure := func(step int, elapsed float64) {
		if done := step - s.steps; done >= 3 && elapsed > 0 && s.each > 0 && !s.spoiled {
			s.known[stepsOf(device, s.each)] = float64(done) * s.each / elapsed
		}
	}
	switch e := e.(type) {
	case wire.Started:
		s.steps, s.each, s.spoiled = e.StartStep, e.Plan.FLOPs/float64(max(e.TotalSteps, 1)), false
	case wire.Paused:
		s.spoiled = true
	case wire.Stepped:
		measure(e.Step, e.Elapsed)
	case wire.Finished:
		_ = replaceFile(s.path, maps.Clone(s.known)) // it can be measured again
	}
}
