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
		if r.Queued {
			return s.T(words.StatusQueued)
		}
		return s.T(words.StatusBegins)
	case Runs:
		return s.T(words.StatusRuns, r.Step, r.Steps)
	case Paused:
		if r.Free {
			return s.T(words.StatusReleased, r.Step, r.Steps)
		}
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

// said is the state for those who hear the page: the same, but a tenth of the way at a time.
func (s *State) said() string {
	if r := s.Run; r.State == Runs && r.Steps > 0 {
		return s.T(words.SaidRuns, 10*(10*r.Step/r.Steps))
	}
	return s.status()
}
