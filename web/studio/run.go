package studio

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"hone/core/recipe"
	"hone/core/wire"
	"hone/web/parts"
)

// useTiny takes the recipe of the one button.
func useTiny(s *parts.State) {
	before := s.Settings
	s.Settings, s.Lacks = maps.Clone(tiny), nil
	accept(s)
	for _, m := range s.Host.Models {
		if m.Bundled {
			s.Settings["model"] = m.Path
			if s.Model == nil || s.Model.Path != m.Path { // what was asked about it says more than the list
				s.Model = &m
			}
			break
		}
	}
	var files []string
	for _, d := range s.Host.Data {
		if d.Bundled {
			files = append(files, d.Path)
		}
	}
	preview, forecast := s.Preview, s.Forecast
	setData(s, files)
	if maps.Equal(before, s.Settings) { // what is known of it still holds
		s.Preview, s.Forecast = preview, forecast
	}
}

// trainNow is the newcomer's button. Who presses it before it is known whether a run goes on does not press it again.
func (t *Studio) trainNow() {
	t.mu.Lock()
	alive := t.s.Run.Alive()
	t.hurry = !t.attached
	hurry := t.hurry
	t.mu.Unlock()
	if alive || hurry {
		return
	}
	t.change(useTiny)
	go t.start()
}

// start starts a run of the recipe.
func (t *Studio) start() {
	t.mu.Lock()
	raw, err := recipeJSON(t.s)
	alive := t.s.Run.Alive()
	t.mu.Unlock()
	if alive {
		return
	}
	if err != nil {
		t.trouble("run", err)
		return
	}
	t.beginRun("", func() (wire.RunName, error) {
		return wire.Ask[wire.RunName](t.ctx, t.o.Link, wire.Start{Recipe: raw}, t.loading)
	})
}

// resume goes on with a run.
func (t *Studio) resume(id string) {
	t.beginRun(id, func() (wire.RunName, error) {
		return wire.Ask[wire.RunName](t.ctx, t.o.Link, wire.Resume{Run: id}, t.loading)
	})
}

// loading shows what is read or downloaded before a run begins.
func (t *Studio) loading(name string, data json.RawMessage) {
	if name == wire.Name(wire.Downloading{}) {
		t.downloading("run", data)
	}
}

// beginRun shows that a run is about to begin. The events of the run, which may come before the reply, say the rest.
func (t *Studio) beginRun(id string, ask func() (wire.RunName, error)) {
	if id != "" {
		t.load(id)
	}
	t.end("method")
	t.end("data")
	twice, past := false, false // pressed again before the page was drawn; there is a past that is not shown
	t.change(func(s *parts.State) {
		before := s.Run
		if twice = before.Alive(); twice {
			return
		}
		t.starts = true
		s.Run = parts.Run{ID: id, State: parts.Begins, Comparable: s.Setting("train_type") != "full"}
		forgetPlace(s)
		delete(s.Tables, "steps")
		t.plainURL()
		if id != "" && before.ID == id {
			s.Run.On, s.Run.Left, s.Run.Link = before.On, before.Left, before.Link
			s.Run.Points, s.Run.Held, s.Run.Step, s.Run.Steps = before.Points, before.Held, before.Step, before.Steps
		}
		past = id != "" && before.ID != id
		delete(s.Errors, "run")
		forgetRun(s)
	})
	if twice {
		return
	}
	if past {
		t.recall(id)
	}
	t.askToKeep()
	name, err := ask()
	t.change(func(s *parts.State) {
		t.starts = false
		if wire.StatusOf(err) == wire.StatusStopped {
			if s.Run.State = parts.Stopped; s.Run.ID == "" { // there is nothing of it
				s.Run = parts.Run{}
			}
			return
		}
		if err != nil {
			s.Run.State = parts.Failed
			s.Errors["run"] = err.Error()
			return
		}
		if s.Run.ID == "" {
			s.Run.ID = name.Run
		}
	})
}

// steer asks for something of the run that goes on.
func (t *Studio) steer(do string, rate float64) {
	t.mu.Lock()
	id := t.s.Run.ID
	delete(t.s.Errors, "run")
	t.mu.Unlock()
	_, err := wire.Ask[struct{}](t.ctx, t.o.Link, wire.Steer{Run: id, Do: do, LearningRate: rate}, nil)
	t.trouble("run", err)
}

func (t *Studio) rate(text string) {
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.trouble("run", fmt.Errorf("learning_rate: %q is no number; write it like 0.001 or 1e-3", text))
		return
	}
	go t.steer("rate", rate)
}

// attach looks at the run that is going on, or shows the last one.
func (t *Studio) attach() {
	t.mu.Lock()
	id := t.s.Host.Going
	for _, r := range t.s.Host.Runs {
		if id == "" && r.On != "" && !r.Finished {
			id = r.ID
		}
	}
	if id == "" && len(t.s.Host.Runs) > 0 {
		id = t.s.Host.Runs[0].ID
	}
	t.mu.Unlock()
	switch {
	case id == "":
	case t.chosen: // what the user has set stays
		t.display(id)
	default:
		t.show(id)
	}
}

// show makes a run the one that the page shows, and its settings those of the page.
func (t *Studio) show(id string) {
	t.load(id)
	t.display(id)
}

// forgetRun forgets what was asked of the run that was shown.
func forgetRun(s *parts.State) {
	s.File, s.Try.Answers = nil, nil
	s.Try.Base, s.Try.Tuned = "", ""
	delete(s.Errors, "try")
	delete(s.Errors, "save")
}

// display makes a run the one that the page shows.
func (t *Studio) display(id string) {
	events, next, err := t.replay(id, 1)
	if err != nil {
		t.trouble("runs", err)
		return
	}
	begins := false
	t.change(func(s *parts.State) {
		run := &parts.Run{ID: id, State: parts.Stopped, Comparable: s.Setting("train_type") != "full"}
		for _, r := range s.Host.Runs {
			if r.ID == id {
				run.Step, run.Steps, run.On, run.Comparable = r.Step, r.Steps, r.On, comparable(r.Recipe)
				if r.Finished {
					run.State = parts.Done
				}
			}
		}
		if s.Host.Going == id {
			run.State = parts.Runs
		}
		link := s.Run.Link
		if s.Run.ID != id {
			link = wire.Linked{}
			forgetPlace(s)
			delete(s.Tables, "steps")
			forgetRun(s)
		}
		delete(s.Errors, "run")
		s.Run = *run
		s.Run.Link = link
		for _, f := range events {
			t.take(s, f)
		}
		if begins = s.Host.Going == id && s.Host.Begins; begins {
			s.Run.State = parts.Begins
		}
		if s.Host.Going != id && s.Run.On == "" && s.Run.Alive() {
			s.Run.State = parts.Stopped // its last events were lost with the tab
		}
	})
	if begins { // or did, when the host was asked: what was told since then was not heard
		go t.hello(false)
	}
	if events, _, err = t.replay(id, next); err != nil || len(events) == 0 { // told while the page was not listening for this run yet
		return
	}
	t.change(func(s *parts.State) {
		for _, f := range events {
			if s.Run.ID == id {
				t.take(s, f)
			}
		}
	})
}

// recall shows what is known of a run that is about to go on.
func (t *Studio) recall(id string) {
	events, _, err := t.replay(id, 1)
	t.trouble("runs", err)
	t.change(func(s *parts.State) {
		for _, f := range events {
			t.take(s, f)
		}
		s.Run.State = parts.Begins
		delete(s.Errors, "run") // of its last attempt
	})
}

// replay reads the events of a run from one on. next is the number of the one that comes after them.
func (t *Studio) replay(id string, from uint64) (events []wire.Frame, next uint64, err error) {
	for next = from; ; {
		told, err := wire.Ask[wire.Told](t.ctx, t.o.Link, wire.Replay{Run: id, Seq: next}, nil)
		if err != nil {
			return events, next, err
		}
		events = append(events, told.Events...)
		if len(told.Events) == 0 || told.Next <= next {
			return events, next, nil
		}
		next = told.Next
	}
}

// comparable reports whether a run of the recipe has a base beside what it learns.
func comparable(raw json.RawMessage) bool {
	r, err := recipe.FromJSON(raw)
	return err != nil || r.TrainType != "full"
}

// load takes the settings of a run.
func (t *Studio) load(id string) {
	t.mu.Lock()
	var raw json.RawMessage
	for _, r := range t.s.Host.Runs {
		if r.ID == id {
			raw = r.Recipe
		}
	}
	t.mu.Unlock()
	if raw != nil {
		t.takeRecipe(raw)
		t.inspectChosen()
	}
}

// Told is an event of a run.
func (t *Studio) Told(f wire.Frame) {
	if f.Kind != wire.KindEvent {
		return
	}
	finished, follow := false, false
	t.change(func(s *parts.State) {
		overlay(s, []wire.Frame{f})
		if s.Run.ID == "" && s.Run.State == parts.Begins {
			s.Run.ID = f.Run
		}
		if f.Run != s.Run.ID {
			follow = (f.Name == "started" || f.Name == "queued") && t.attached && !s.Run.Alive() // another tab has begun it
			return
		}
		t.take(s, f)
		finished = f.Name == "finished" || f.Name == "failed"
	})
	switch f.Name {
	case "stepped", "progress":
		t.mark("stepped")
		t.compare()
	}
	switch {
	case follow:
		go func() {
			t.hello(false)
			t.display(f.Run) // what is set on this page is of this page
		}()
	case f.Name == "started" || f.Name == "moved": // the list of runs has changed
		go t.hello(false)
	}
	if finished {
		go func() {
			t.hello(false)
			t.compareNow()
			t.plan() // what was not looked at while the run took all of the worker
		}()
	}
}

// take lets an event change what the page shows of its run.
func (t *Studio) take(s *parts.State, f wire.Frame) {
	e, err := wire.ParseEvent(f.Name, f.Data)
	if err != nil {
		return // of another release
	}
	r := &s.Run
	news := r.Take(e)
	switch e := e.(type) {
	case wire.Started:
		r.Steps, r.Step, r.State, r.Queued = e.TotalSteps, e.StartStep, parts.Runs, false
		if e.StartStep < r.RateStep { // the rate was set later; if it holds, that is told again
			r.Rate, r.RateStep = 0, 0
		}
		delete(s.Errors, "run") // of an attempt before
	case wire.Stepped:
		if !news {
			return
		}
		if r.State == parts.Begins { // it began before the page listened
			r.State = parts.Runs
		}
		r.Step, r.Speed, r.Remaining, r.Memory = e.Step, e.TokensPerSecond, e.Remaining, e.Memory
	case wire.Progress:
		r.Step, r.Steps, r.Speed, r.Memory = e.Step, e.TotalSteps, e.TokensPerSecond, e.Memory
		r.Remaining = time.Duration(e.Remaining).Seconds()
	case wire.Warning:
		if n := len(r.Warnings); n == 0 || r.Warnings[n-1] != e.Text {
			r.Warnings = append(r.Warnings, e.Text)
		}
	case wire.Paused:
		r.State, r.Step, r.Free = parts.Paused, e.Step, e.Released
	case wire.Resumed:
		r.State = parts.Runs
	case wire.Saved:
		r.Saved = e.Step
	case wire.RateChanged:
		r.Rate, r.RateStep = e.LearningRate, e.Step
	case wire.Finished:
		r.Step, r.Remaining = e.Step, 0
		if r.State = parts.Done; e.Stopped != "" {
			r.State = parts.Stopped
		}
	case wire.Queued:
		r.State, r.Queued = parts.Begins, true
		if e.Reason != "" {
			r.Warnings = append(r.Warnings, e.Reason)
		}
	case wire.Moved:
		r.On, r.Queued, r.Link = e.On, false, wire.Linked{}
		forgetPlace(s)
		if e.On != "" {
			r.Left = e.Step
		}
	case wire.Linked:
		if e.On == r.On {
			r.Link = e
		}
	case wire.Failed:
		r.State = parts.Failed
		s.Errors["run"] = e.Reason
	}
}
