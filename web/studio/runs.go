package studio

import (
	"encoding/json"

	"hone/core/recipe"
	"hone/core/wire"
	"hone/web/parts"
	"hone/web/words"
)

// export makes a file of the run and hands it over.
func (t *Studio) export(what string) {
	t.mu.Lock()
	id := t.s.Run.ID
	t.mu.Unlock()
	ctx, done := t.begin("save", words.SaveMaking)
	f, err := wire.Ask[wire.File](ctx, t.o.Link, wire.Export{Run: id, What: what}, func(_ string, data json.RawMessage) { t.downloading("save", data) })
	if !done() {
		return
	}
	t.trouble("save", err)
	if err == nil {
		t.change(func(s *parts.State) { s.File = &f })
		if t.o.Deliver != nil {
			t.o.Deliver(f)
		}
	}
}

// chooseRun lays the curve of a run over those of others.
func (t *Studio) chooseRun(id string, chosen bool) {
	t.change(func(s *parts.State) {
		s.Chosen[id] = chosen
		delete(s.Overlay, id)
	})
	if !chosen {
		return
	}
	events, next, err := t.replay(id, 1)
	t.trouble("runs", err)
	t.change(func(s *parts.State) {
		if s.Chosen[id] = s.Chosen[id] && err == nil; s.Chosen[id] {
			s.Overlay[id] = &wire.Curve{} // from now on its events are taken, see Told
			overlay(s, events)
		}
	})
	if err != nil {
		return
	}
	if events, _, err = t.replay(id, next); err == nil { // what was told meanwhile
		t.change(func(s *parts.State) { overlay(s, events) })
	}
}

// overlay lets events change the curves of the runs that are compared.
func overlay(s *parts.State, events []wire.Frame) {
	for _, f := range events {
		if c := s.Overlay[f.Run]; c != nil {
			if e, err := wire.ParseEvent(f.Name, f.Data); err == nil { // those of another release say nothing
				c.Take(e)
			}
		}
	}
}

func (t *Studio) note(id, text string) {
	_, err := wire.Ask[struct{}](t.ctx, t.o.Link, wire.Note{Run: id, Text: text}, nil)
	t.trouble("runs", err)
	t.hello(false)
}

// takeRecipe makes the recipe of a run the one of the page.
func (t *Studio) takeRecipe(raw json.RawMessage) {
	r, err := recipe.FromJSON(raw)
	if err != nil {
		t.trouble("runs", err)
		return
	}
	base := unset(r)
	t.change(func(s *parts.State) {
		s.Settings, s.Lacks = map[string]string{}, nil
		accept(s)
		for _, f := range recipe.Fields() {
			if v := r.Text(f.Name); v != base.Text(f.Name) && f.Name != "output_dir" && f.Name != "device" && f.Name != "resume_from_checkpoint" {
				s.Settings[f.Name] = v
			}
		}
		s.Model, s.Preview, s.Forecast = modelOf(s.Host, s.Settings["model"]), nil, nil
	})
}
