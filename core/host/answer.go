package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"hone/core/device"
	"hone/core/generate"
	"hone/core/hub"
	"hone/core/recipe"
	"hone/core/run"
	"hone/core/wire"
)

// CheckAnswer says what is wrong with a question.
func CheckAnswer(r wire.Answer) error {
	switch {
	case r.Sides != "base" && r.Sides != "tuned" && r.Sides != "both":
		return fmt.Errorf("sides %q: base, tuned or both are asked", r.Sides)
	case r.Run == "" && r.Sides != "base":
		return errors.New("only a run has a tuned model; name one, or ask the base alone")
	case r.Tokens < 1 || r.Tokens > 1<<16:
		return fmt.Errorf("an answer has 1 to %d tokens at most, not %d", 1<<16, r.Tokens)
	}
	return sampling(r.Sampling).Check()
}

// speak lets a model answer.
func (h *Host) speak(ctx context.Context, r wire.Answer, part parts) (wire.Answers, error) {
	if err := CheckAnswer(r); err != nil {
		return wire.Answers{}, err
	}
	if f := h.awayRun(r.Run); f != nil {
		var a wire.Answers
		raw, err := f.ask(ctx, r, func(name string, data json.RawMessage) { part(name, data) })
		if err == nil {
			err = json.Unmarshal(raw, &a)
		}
		return a, err
	}
	h.mu.Lock()
	g := h.going
	h.mu.Unlock()
	if g != nil {
		if r.Run != g.name() {
			return wire.Answers{}, fmt.Errorf("the run %s has the device; until it ends only its own model can answer", g.name())
		}
		return g.speak(ctx, r, part)
	}
	h.device.busy.Lock()
	defer h.device.busy.Unlock()
	a, err := h.speakIdle(ctx, r, part)
	if errors.Is(err, device.ErrLost) { // once more on a new one
		h.device.lose(err)
		a, err = h.speakIdle(ctx, r, part)
	}
	return a, err
}

func sampling(d wire.Draw) generate.Sampling {
	return generate.Sampling{Temperature: d.Temperature, TopK: d.TopK, TopP: d.TopP, Seed: uint64(d.Seed)}
}

// speak lets the model of a run answer between two of its steps.
func (g *going) speak(ctx context.Context, r wire.Answer, part parts) (wire.Answers, error) {
	reply, err := Speak(ctx, &g.control, r, part)
	g.mu.Lock()
	reply.Step = g.where.Step
	g.mu.Unlock()
	return reply, err
}

// Speak lets the model of a run that goes on answer, wherever that is. Its reply has no step.
func Speak(ctx context.Context, c *run.Control, r wire.Answer, part func(name string, v any)) (wire.Answers, error) {
	var reply wire.Answers
	for _, side := range sides(r) {
		err := c.Speak(ctx, side == "base", func(v *run.Voice) (err error) {
			into := &reply.Base
			if side == "tuned" {
				into = &reply.Tuned
			}
			*into, err = one(ctx, side, v, r, part)
			return err
		})
		if err != nil && (side != "base" || r.Sides == "base") || ctx.Err() != nil {
			return reply, err // a run that trains all weights has no base left: then the tuned one speaks alone
		}
	}
	return reply, nil
}

func sides(r wire.Answer) []string {
	if r.Sides == "both" {
		return []string{"base", "tuned"}
	}
	return []string{r.Sides}
}

// one lets one voice answer.
func one(ctx context.Context, side string, v *run.Voice, r wire.Answer, part parts) (*wire.Answered, error) {
	a := &wire.Answered{}
	if r.TopK > 0 {
		var top []generate.Token
		var err error
		if r.Raw {
			top, err = v.NextOf(ctx, r.Prompt, r.TopK)
		} else {
			top, err = v.Next(ctx, run.Question(r.Prompt), r.TopK)
		}
		if err != nil {
			return nil, err
		}
		for _, t := range top {
			a.Top = append(a.Top, wire.Token{Text: v.Tokenizer().Decode([]int32{t.ID}, false), Probability: t.Probability})
		}
	}
	o := generate.TextOptions{Options: generate.Options{MaxNewTokens: r.Tokens, Sampling: sampling(r.Sampling)}}
	emit := func(text string) { part("text", wire.Text{Side: side, Text: text}) }
	var said generate.Answer
	var err error
	if r.Raw {
		said, err = v.Continue(ctx, r.Prompt, o, emit)
	} else {
		said, err = v.Answer(ctx, run.Question(r.Prompt), o, emit)
	}
	a.Text, a.Ending = said.Text, string(said.Ending)
	return a, err
}

// speaker is a model with what tuned it, loaded to be spoken to while no run goes on.
type speaker struct {
	of    string // what it was loaded from
	step  int
	base  *run.Voice
	tuned *run.Voice // nil: the model alone
	close func()
}

// speakIdle answers while no run goes on. The caller holds the device.
func (h *Host) speakIdle(ctx context.Context, r wire.Answer, part parts) (wire.Answers, error) {
	s, err := h.speaker(ctx, r, part)
	if err != nil {
		return wire.Answers{}, err
	}
	reply := wire.Answers{Step: s.step}
	for _, side := range sides(r) {
		voice, into := s.base, &reply.Base
		if side == "tuned" {
			voice, into = s.tuned, &reply.Tuned
		}
		if *into, err = one(ctx, side, voice, r, part); err != nil {
			return reply, err
		}
	}
	return reply, nil
}

// speaker loads what is asked, unless it is loaded.
func (h *Host) speaker(ctx context.Context, r wire.Answer, part parts) (*speaker, error) {
	dev := h.device.dev
	if dev == nil {
		var err error
		if dev, err = h.device.take(ctx, recipe.Default()); err != nil {
			return nil, err
		}
	}
	if r.Run == "" {
		return h.modelAlone(ctx, dev, r.Model, part)
	}
	dir, err := h.runDir(r.Run)
	if err != nil {
		return nil, err
	}
	t, err := h.tuned(ctx, dir, part)
	if err != nil {
		return nil, err
	}
	if s := h.device.speaker; s != nil && s.of == t.Result {
		return s, nil
	}
	if err := h.sameBase(t); err != nil {
		return nil, err
	}
	h.device.silence()
	p, err := run.OpenPair(ctx, dev, t.Model, t.Result, run.LoadOptions{Quantised: t.Quantised})
	if err != nil {
		return nil, err
	}
	h.device.speaker = &speaker{of: t.Result, step: t.Step, base: p.Base, tuned: p.Tuned, close: func() { p.Close() }}
	return h.device.speaker, nil
}

func (h *Host) modelAlone(ctx context.Context, dev device.Device, model string, part parts) (*speaker, error) {
	at, err := h.placed(model)
	if err == nil {
		err = h.bringPath(ctx, at, part)
	}
	if err == nil {
		at, err = modelHere(ctx, at, hub.Options{})
	}
	if err != nil {
		return nil, err
	}
	if s := h.device.speaker; s != nil && s.of == at {
		return s, nil
	}
	h.device.silence()
	l, err := run.Load(ctx, dev, at, run.LoadOptions{})
	if err != nil {
		return nil, err
	}
	v, err := l.Voice(ctx, "")
	if err != nil {
		l.Close()
		return nil, err
	}
	h.device.speaker = &speaker{of: at, base: v, close: func() { v.Close(); l.Close() }}
	return h.device.speaker, nil
}
