package jobs

import (
	"context"
	"encoding/json"

	"hone/core/wire"
)

// told is how far the events of a run have been told, by kind. A worker that goes on from a State does steps again that its
// predecessor has told of; they are told once.
type told struct {
	step   map[string]int
	ending bool // the last event ends the run
}

// byStep are the kinds of events that a step has once.
var byStep = map[string]bool{"stepped": true, "progress": true, "evaluated": true, "saved": true}

// toldOf reads it from the journal.
func (b *Broker) toldOf(ctx context.Context, user, id string) (*told, error) {
	t := &told{step: map[string]int{}}
	err := b.eachEvent(ctx, user, id, 1, func(f wire.Frame) bool {
		t.note(f.Name, f.Data)
		return true
	})
	return t, err
}

func (t *told) note(name string, data json.RawMessage) {
	t.ending = name == "finished" || name == "failed"
	switch {
	case name == wire.Name(wire.Rewound{}):
		t.rewind(stepIn(data))
	case byStep[name]:
		t.step[name] = max(t.step[name], stepIn(data))
	}
}

// rewind forgets what is told of steps behind one.
func (t *told) rewind(step int) {
	for name, last := range t.step {
		t.step[name] = min(last, step)
	}
}

// curve is the last step that a curve has a point of.
func (t *told) curve() int { return max(t.step["stepped"], t.step["evaluated"]) }

// fresh reports whether an event of a step is news, and remembers that it is told.
func (t *told) fresh(name string, step int) bool {
	if !byStep[name] {
		return true
	}
	if last, ok := t.step[name]; ok && step <= last {
		return false
	}
	if name == "progress" && step <= t.step["stepped"] {
		return false // a progress may be left out; it is not made up for behind a later line
	}
	t.step[name] = step
	return true
}

func stepIn(data json.RawMessage) int {
	var s struct {
		Step int `json:"step"`
	}
	if json.Unmarshal(data, &s) != nil {
		return 0
	}
	return s.Step
}
