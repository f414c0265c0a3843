package parts

import (
	"strconv"

	"hone/web/words"
)

func itoa(n int) string { return strconv.Itoa(n) }

// status is the state of the run in words.
func (s *State) status() string {
	r := s.Run
	switch r.State {
	case Begins:
		return s.T(words.StatusBegins)
	case Runs:
		return s.T(words.StatusRuns, r.Step, r.Steps)
	case Paused:
		return s.T(words.StatusPaused, r.Step, r.Steps)
	case Done:
		return s.T(words.StatusDone, r.Step)
	case Stopped:
		return s.T(words.StatusStopped, r.Step)
	case Failed:
		return s.T(words.StatusFailed)
	}
	return s.T(words.StatusIdle)
}
