package host

import (
	"maps"
	"sync"

	"hone/core/wire"
)

// speeds are the operations a second that runs have come to, by device: what a forecast of time stands on.
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

// of is a device's speed, 0 where nothing was measured.
func (s *speeds) of(device string) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load()
	return s.known[device]
}

// learn measures a run by its events.
func (s *speeds) learn(device string, e wire.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load()
	measure := func(step int, elapsed float64) {
		if done := step - s.steps; done >= 3 && elapsed > 0 && s.each > 0 && !s.spoiled {
			s.known[device] = float64(done) * s.each / elapsed
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
