package parts

import (
	"math"
	"slices"

	"hone/core/wire"
	"hone/web/words"
)

// windowRows is how many rows of a table are shown at once: thousands would hold up the page.
const windowRows = 100

// Newest is the end of a table's window that goes along with the run.
const Newest = math.MaxInt32

// table is a chart in figures: a window of its rows, the newest first.
type table struct {
	ID           string
	Heads        []string
	Rows         [][]string // the first cell of each is its step
	From, To, Of int        // the window's first and last row, counted from 1, and how many there are
	Older, Newer int        // where the windows before and behind end; 0: there is none
}

// window cuts the table of n rows as its user has paged it. row gives one of them.
func (s *State) window(id string, heads []string, n int, row func(i int) []string) table {
	end := n
	if e, paged := s.Tables[id]; paged && e < n {
		end = max(e, min(n, windowRows))
	}
	begin := max(0, end-windowRows)
	t := table{ID: id, Heads: heads, From: begin + 1, To: end, Of: n, Older: begin}
	if end < n {
		if t.Newer = end + windowRows; t.Newer >= n {
			t.Newer = Newest
		}
	}
	for i := end - 1; i >= begin; i-- {
		t.Rows = append(t.Rows, row(i))
	}
	return t
}

// stepsTable is the run's curves: each step with all that was measured at it.
func (s *State) stepsTable() table {
	points, held := s.Run.Points, s.Run.Held
	steps := union(stepsOf(points, ofPoint), stepsOf(held, ofHeld))
	heads := []string{s.T(words.Step), s.T(words.Loss), s.T(words.EvalLoss), s.T(words.LearningRate), s.T(words.GradNorm), s.T(words.Speed)}
	return s.window("steps", heads, len(steps), func(i int) []string {
		row := []string{itoa(steps[i]), "", "", "", "", ""}
		if p, ok := at(points, steps[i], ofPoint); ok {
			row[1], row[3], row[4], row[5] = Figure(p.Loss), Figure(p.LearningRate), Figure(p.GradNorm), Figure(p.TokensPerSecond)
		}
		if e, ok := at(held, steps[i], ofHeld); ok {
			row[2] = Figure(e.EvalLoss)
		}
		return row
	})
}

// runsTable is the losses of the runs that are compared, a column for each.
func (s *State) runsTable() table {
	var steps []int
	heads := []string{s.T(words.Step)}
	chosen := s.chosenRuns()
	for _, r := range chosen {
		heads = append(heads, short(r))
		steps = union(steps, stepsOf(s.Curve(r), ofPoint))
	}
	return s.window("runs", heads, len(steps), func(i int) []string {
		row := []string{itoa(steps[i])}
		for _, r := range chosen {
			cell := ""
			if p, ok := at(s.Curve(r), steps[i], ofPoint); ok {
				cell = Figure(p.Loss)
			}
			row = append(row, cell)
		}
		return row
	})
}

// Curve is that of a run that is compared; the one that the page shows is still growing.
func (s *State) Curve(r wire.Run) []wire.Stepped {
	if r.ID == s.Run.ID {
		return s.Run.Points
	}
	if c := s.Overlay[r.ID]; c != nil {
		return c.Points
	}
	return nil // it is still read
}

func ofPoint(p wire.Stepped) int { return p.Step }

func ofHeld(e wire.Evaluated) int { return e.Step }

func stepsOf[T any](list []T, step func(T) int) []int {
	out := make([]int, len(list))
	for i, x := range list {
		out[i] = step(x)
	}
	return out
}

// at is what was told of a step; both curves and steps rise.
func at[T any](list []T, step int, of func(T) int) (T, bool) {
	i, ok := slices.BinarySearchFunc(list, step, func(x T, step int) int { return of(x) - step })
	if !ok {
		var none T
		return none, false
	}
	return list[i], true
}

// union merges two rising lists.
func union(a, b []int) []int {
	out := make([]int, 0, max(len(a), len(b)))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			out, a = append(out, a[0]), a[1:]
		case a[0] > b[0]:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// score is a loss of a run, which has none before its first logged step.
func score(loss float64) string {
	if loss == 0 {
		return "–"
	}
	return Figure(loss)
}
