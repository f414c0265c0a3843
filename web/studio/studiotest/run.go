package studiotest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hone/core/recipe"
	"hone/core/wire"
)

// tell keeps an event of a run and hands it on.
func (h *Host) tell(id string, e wire.Event) {
	raw, err := json.Marshal(e)
	if err != nil {
		panic(err) // events are plain values
	}
	h.mu.Lock()
	f := wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: id, Seq: uint64(len(h.events[id])) + 1, Name: wire.Name(e), Data: raw}
	h.events[id] = append(h.events[id], f)
	h.mu.Unlock()
	h.Event(f)
}

// Tell lets an event happen in a run.
func (h *Host) Tell(id string, e wire.Event) { h.tell(id, e) }

func (h *Host) start(raw json.RawMessage) (any, error) {
	r, err := recipe.FromJSON(raw)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.going != nil {
		return nil, errors.New("a run is going on already; stop it first")
	}
	id := fmt.Sprintf("tiny/v%d-20260103-090000", len(h.Is.Runs))
	run := wire.Run{ID: id, Model: "tiny", Started: "2026-01-03T09:00:00Z", Steps: max(r.MaxSteps, 1), Bytes: 3_400_000, Recipe: raw}
	h.Is.Runs = append([]wire.Run{run}, h.Is.Runs...)
	h.begin(&going{id: id, steps: run.Steps, rate: r.LearningRate})
	return wire.RunName{Run: id}, nil
}

func (h *Host) goOn(id string) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.Is.Runs {
		if r.ID == id && h.going == nil {
			h.begin(&going{id: id, step: r.Step, steps: r.Steps, rate: 1e-3})
			return wire.RunName{Run: id}, nil
		}
	}
	return nil, fmt.Errorf("there is no run %s that could go on", id)
}

func (h *Host) begin(g *going) {
	g.wake = make(chan struct{}, 1)
	h.going = g
	go h.train(g)
}

// train pretends to.
func (h *Host) train(g *going) {
	h.tell(g.id, wire.Started{Model: "tiny", Device: h.Is.Device, StartStep: g.step, TotalSteps: g.steps})
	h.tell(g.id, wire.Evaluated{Step: g.step, EvalLoss: 4.1, Tokens: 900})
	stopped := ""
	for {
		h.mu.Lock()
		g.step++
		step, rate := g.step, g.rate
		h.mu.Unlock()
		s := stepped(step, g.steps, rate)
		h.tell(g.id, s)
		if step%10 == 0 {
			h.tell(g.id, wire.Evaluated{Step: step, EvalLoss: s.Loss + 0.15, Tokens: 900})
		}
		if step >= g.steps {
			break
		}
		time.Sleep(h.Pace)
		if h.waits(g) {
			stopped = "stopped by the user"
			break
		}
	}
	h.mu.Lock()
	h.going = nil
	for i := range h.Is.Runs {
		if r := &h.Is.Runs[i]; r.ID == g.id {
			r.Step, r.Finished, r.Loss, r.EvalLoss = g.step, stopped == "", stepped(g.step, g.steps, 0).Loss, stepped(g.step, g.steps, 0).Loss+0.15
		}
	}
	h.mu.Unlock()
	h.tell(g.id, wire.Finished{Step: g.step, Stopped: stopped, Elapsed: wire.Seconds(time.Minute), Peak: 330e6, Before: 80e6, Planned: 240e6})
}

// waits while the run is paused, and reports whether it shall stop.
func (h *Host) waits(g *going) bool {
	told := false
	for {
		h.mu.Lock()
		stop, paused := g.stop, g.paused
		if paused && g.single > 0 {
			g.single--
			paused = false
		}
		step := g.step
		h.mu.Unlock()
		if stop || !paused {
			if told && !stop && !paused {
				h.mu.Lock()
				going := !g.paused
				h.mu.Unlock()
				if going {
					h.tell(g.id, wire.Resumed{Step: step})
				}
			}
			return stop
		}
		if !told {
			told = true
			h.tell(g.id, wire.Paused{Step: step})
		}
		<-g.wake
	}
}

func (h *Host) steer(r wire.Steer) error {
	h.mu.Lock()
	g := h.going
	if g == nil || g.id != r.Run {
		h.mu.Unlock()
		return errors.New("this run does not go on any more")
	}
	step := g.step
	switch r.Do {
	case "pause":
		g.paused = true
	case "continue":
		g.paused = false
	case "step":
		g.paused = true
		g.single++
	case "stop":
		g.stop = true
	case "rate":
		g.rate = r.LearningRate
	}
	h.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
	switch r.Do {
	case "save":
		h.tell(g.id, wire.Saved{Step: step, Directory: "runs/" + g.id})
	case "rate":
		h.tell(g.id, wire.RateChanged{Step: step, LearningRate: r.LearningRate})
	}
	return nil
}
