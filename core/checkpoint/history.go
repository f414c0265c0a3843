package checkpoint

import (
	"bytes"
	"encoding/json"
	"slices"
)

// History is what trainer_state.json tells of a log, in log_history. Of a long log it has every second line, or every fourth, and so
// on: every checkpoint has it, and would otherwise be the larger the longer its run goes on. logging.jsonl has them all. Which
// lines it has follows from the log alone, so it is the same after the run was resumed.
type History struct {
	n              int // lines that have come
	steps, figures curve
}

// mostPoints is how many lines a curve keeps: about as many as a screen is wide.
const mostPoints = 1000

// curve are lines of one kind: those of steps, or those of held-out losses and the like, of which there are few.
type curve struct {
	seen, every int
	lines       []historyLine
}

type historyLine struct {
	n   int
	raw json.RawMessage
}

func (c *curve) add(n int, raw []byte) {
	c.every = max(c.every, 1)
	if c.seen%c.every == 0 {
		c.lines = append(c.lines, historyLine{n, bytes.Clone(raw)})
	}
	c.seen++
	if len(c.lines) <= mostPoints {
		return
	}
	c.every *= 2
	kept := c.lines[:0]
	for i, l := range c.lines {
		if i%2 == 0 {
			kept = append(kept, l)
		}
	}
	clear(c.lines[len(kept):])
	c.lines = kept
}

// Add takes the next line of the log.
func (h *History) Add(raw []byte) {
	to := &h.figures
	if bytes.Contains(raw, []byte(`"loss":`)) {
		to = &h.steps
	}
	to.add(h.n, raw)
	h.n++
}

// Lines are those that are kept, in the order of the log.
func (h *History) Lines() []json.RawMessage {
	all := slices.Concat(h.steps.lines, h.figures.lines)
	slices.SortFunc(all, func(a, b historyLine) int { return a.n - b.n })
	var out []json.RawMessage
	for _, l := range all {
		out = append(out, l.raw)
	}
	return out
}

// ReadHistory reads the log.
func (r Run) ReadHistory() (*History, error) {
	h := &History{}
	_, err := r.eachLine(func(raw []byte, _ float64) error {
		h.Add(raw)
		return nil
	})
	return h, err
}
