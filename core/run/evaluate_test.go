package run

import (
	"encoding/json"
	"testing"

	"hone/core/data"
)

// TestPastEvaluations reads logs as runs leave them: the loss before the first step does not count, and only a line of the
// last step says that it was evaluated.
func TestPastEvaluations(t *testing.T) {
	log := func(lines ...string) (out []json.RawMessage) {
		for _, l := range lines {
			out = append(out, json.RawMessage(l))
		}
		return out
	}
	start := []string{`{"step":0,"eval_loss":1,"eval_tokens":9}`, `{"step":1,"loss":3}`, `{"step":2,"eval_loss":5}`, `{"step":4,"eval_loss":4.5}`, `{"step":6,"eval_loss":4.75}`, `{"step":7,"loss":2}`}
	for _, c := range []struct {
		lines []string
		last  int
		want  best
		done  bool
	}{
		{nil, 0, best{}, false},
		{start[:1], 0, best{}, true},
		{start[:2], 1, best{}, false},
		{start[:3], 2, best{5, 2, 0}, true},
		{start[:5], 6, best{4.5, 4, 1}, true},
		{start, 7, best{4.5, 4, 1}, false},
		{append(start[:3:3], `{"step":2,"eval_loss":null}`, `[1]`), 2, best{5, 2, 0}, true},
	} {
		got, done := pastEvaluations(log(c.lines...), c.last)
		if got != c.want || done != c.done {
			t.Errorf("%v up to step %d: %+v, %v; want %+v, %v", c.lines, c.last, got, done, c.want, c.done)
		}
	}
}

// TestRowNames keeps a message short however many rows a step has.
func TestRowNames(t *testing.T) {
	set := &data.Set{}
	for i := range 12 {
		set.Examples = append(set.Examples, data.Example{File: map[bool]string{true: "a", false: "b"}[i < 3], Row: i + 1})
	}
	for _, c := range []struct {
		batches []data.Batch
		want    string
	}{
		{[]data.Batch{{Examples: []int{1}}}, "a row 2"},
		{[]data.Batch{{Examples: []int{0, 2}}, {Examples: []int{3, 1}}}, "a row 1, 3; b row 4; a row 2"},
		{[]data.Batch{{Examples: []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}}, "a row 1, 2, 3; b row 4, 5, 6, 7, 8 and 2 more"},
	} {
		if got := rowNames(set, c.batches); got != c.want {
			t.Errorf("rowNames is %q, want %q", got, c.want)
		}
	}
}
