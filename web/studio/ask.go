package studio

import (
	"encoding/json"
	"strconv"

	"hone/core/wire"
	"hone/web/parts"
	"hone/web/words"
)

// examples puts questions beside the field that are worth asking of the bundled model.
func (t *Studio) examples() {
	t.change(func(s *parts.State) {
		s.Try.Examples = nil
		for _, e := range words.Examples {
			s.Try.Examples = append(s.Try.Examples, e.In(s.Language))
		}
		s.Run.Questions = nil // which may be in the other language
	})
}

func (t *Studio) example(prompt string, raw bool) {
	t.change(func(s *parts.State) { s.Try.Prompt, s.Try.Raw = prompt, raw })
}

// ask asks base and tuned model.
func (t *Studio) ask(a Act) {
	t.change(func(s *parts.State) {
		y := &s.Try
		y.Prompt, y.Raw = a.value("prompt"), a.value("raw") != ""
		if x, err := strconv.ParseFloat(a.value("temperature"), 64); err == nil {
			y.Temperature = x
		}
		if n, err := strconv.Atoi(a.value("tokens")); err == nil {
			y.Tokens = n
		}
		if n, err := strconv.ParseInt(a.value("seed"), 10, 64); err == nil {
			y.Seed = n
		}
		y.Answers, y.Base, y.Tuned = nil, "", ""
	})
	t.mu.Lock()
	r := request(t.s, t.s.Try.Prompt)
	r.Raw, r.Tokens, r.TopK = t.s.Try.Raw, t.s.Try.Tokens, 8
	r.Sampling = wire.Draw{Temperature: t.s.Try.Temperature, Seed: t.s.Try.Seed}
	t.mu.Unlock()
	ctx, done := t.begin("try", words.Working)
	answers, err := wire.Ask[wire.Answers](ctx, t.o.Link, r, func(_ string, data json.RawMessage) {
		var p wire.Text
		if json.Unmarshal(data, &p) != nil {
			return
		}
		t.change(func(s *parts.State) {
			if p.Side == "base" {
				s.Try.Base += p.Text
			} else {
				s.Try.Tuned += p.Text
			}
		})
	})
	if !done() {
		return
	}
	t.trouble("try", err)
	if err == nil {
		t.change(func(s *parts.State) { s.Try.Answers = &answers })
	}
}

// request is a question to the models that the page has at hand.
func request(s *parts.State, prompt string) wire.Answer {
	r := wire.Answer{Prompt: prompt, Sides: "base", Model: s.Settings["model"], Tokens: 32}
	if s.HasTuned() {
		r.Run, r.Model, r.Sides = s.Run.ID, "", "both"
		if !s.AsksBase() {
			r.Sides = "tuned"
		}
	}
	return r
}

// compareEvery is after how many steps base and tuned model answer the same questions beside the curves.
const compareEvery = 25

// compare lets them answer now and then while the run goes on.
func (t *Studio) compare() {
	t.mu.Lock()
	due := t.s.Run.State == parts.Runs && t.s.Run.Step > 0 && (t.s.Run.Step >= t.asked+compareEvery || t.s.Run.Step < t.asked) && !t.asking
	t.mu.Unlock()
	if due {
		go t.compareNow()
	}
}

func (t *Studio) compareNow() {
	t.mu.Lock()
	s := t.s
	if t.asking || !s.HasTuned() {
		t.mu.Unlock()
		return
	}
	t.asking, t.asked = true, s.Run.Step
	id := s.Run.ID
	t.mu.Unlock()
	t.learnQuestions(id)
	t.mu.Lock()
	prompts := s.Watched()
	t.mu.Unlock()
	var list []parts.Comparison
	for _, p := range prompts {
		t.mu.Lock()
		r := request(t.s, p)
		t.mu.Unlock()
		if r.Run != id {
			break
		}
		a, err := wire.Ask[wire.Answers](t.ctx, t.o.Link, r, nil)
		if err != nil {
			break // the run has ended meanwhile, or its model has no words: the curves tell enough
		}
		c := parts.Comparison{Step: a.Step, Prompt: p}
		if a.Base != nil {
			c.Base = a.Base.Text
		}
		if a.Tuned != nil {
			c.Tuned = a.Tuned.Text
		}
		list = append(list, c)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asking = false
	if t.s.Run.ID == id && len(list) > 0 {
		t.s.Run.Answers = list
		t.redraw()
	}
}
