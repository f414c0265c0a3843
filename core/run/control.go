package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"hone/core/chat"
	"hone/core/device"
	"hone/core/generate"
	"hone/core/recipe"
	"hone/core/wire"
)

// Control steers a run while it goes on; its methods are called from other goroutines. What is asked for happens between
// two steps. The zero value is ready, for one call of Start at a time.
type Control struct {
	// Places says where models, adapters and data that a recipe names stand on this machine, by these names: for a run that
	// came from another one, where its paths mean something. It is set before Start.
	Places map[string]string

	// HubsOnly says that the recipe is of somebody who may not read this machine's disk: what it names, and what the directory of a run
	// that goes on names, stands in Places or is on a hub, and is never looked for as a path here. It is set before Start.
	HubsOnly bool

	// SaveEvery, if it is not 0, has a checkpoint written before the first step and whenever so much time has passed since the
	// last one. The next checkpoint replaces it. It is set before Start.
	SaveEvery time.Duration

	// Tag ends the name of the run's directory, see checkpoint.Create. It is set before Start.
	Tag string

	// Rate, if it is not 0, is set as by SetLearningRate before the first step. It is set before Start.
	Rate float64

	// Reopen, if it is set, opens the device anew when it was lost; the run goes on from its last State. It is set before Start.
	Reopen func(ctx context.Context, lost error) (device.Device, error)

	rate float64 // learning_rate that was set last, whatever becomes of the device; 0: none was. It is the run's goroutine's

	mu     sync.Mutex
	paused bool
	steps  int              // to do although the run is paused
	asked  []func(*session) // nil in place of the session: the run is over
	wake   chan struct{}    // closed when something of the above changes
	going  bool
}

// errOver says that nothing can be asked of a run any more, or not yet.
var errOver = errors.New("no run is going on; start one, or use what it saved")

// Start is the function Start, steered.
func (c *Control) Start(ctx context.Context, r recipe.Recipe, dev device.Device, sink func(wire.Event)) (Result, error) {
	c.mu.Lock()
	c.going = true
	c.mu.Unlock()
	c.rate = c.Rate
	defer c.end()
	if err := absolute(&r, c.Places, c.HubsOnly); err != nil {
		return Result{}, err
	}
	result, err := start(ctx, c, r, dev, sink)
	if errors.Is(err, device.ErrLost) && c.Reopen != nil {
		result, err = goOn(ctx, c, &r, err, sink)
	}
	if errors.Is(err, device.ErrLost) && r.Fallback == "cpu" {
		return fallBack(ctx, c, r, err, sink)
	}
	return result, err
}

// Pause holds the run after the step under way.
func (c *Control) Pause() { c.change(func() { c.paused, c.steps = true, 0 }) }

// Resume lets a paused run go on.
func (c *Control) Resume() { c.change(func() { c.paused = false }) }

// Step does one step more and holds the run after it.
func (c *Control) Step() {
	c.change(func() {
		if !c.paused {
			c.paused, c.steps = true, 0
		}
		c.steps++
	})
}

// Save writes a checkpoint now and gives its directory.
func (c *Control) Save(ctx context.Context) (dir string, err error) {
	askErr := c.ask(ctx, func(s *session) {
		if err = s.loop.saveIfNew(); err == nil {
			dir = s.loop.lastSavedDir
		}
	})
	return dir, errors.Join(askErr, err)
}

// Keep writes a checkpoint now in whose place the next one comes: what is learnt is not lost with the process.
func (c *Control) Keep(ctx context.Context) (err error) {
	askErr := c.ask(ctx, func(s *session) { err = s.loop.keep() })
	return errors.Join(askErr, err)
}

// SetLearningRate makes rate the learning_rate of the recipe for the steps to come: the schedule goes on as if it had been
// so from the beginning. Checkpoints remember it, and with SaveEvery one is written at once: what was set is not lost with the process.
func (c *Control) SetLearningRate(ctx context.Context, rate float64) (err error) {
	if err := CheckRate(rate); err != nil {
		return err
	}
	askErr := c.ask(ctx, func(s *session) {
		s.changeRate(rate)
		if s.loop.every > 0 {
			err = s.loop.keep()
		}
	})
	return errors.Join(askErr, err)
}

// CheckRate says why a learning_rate cannot be set.
func CheckRate(rate float64) error {
	if !(rate > 0 && rate <= 10) {
		return fmt.Errorf("a learning_rate of %v cannot be set; it is above 0 and at most 10", rate)
	}
	return nil
}

// Speak lets the model as it is after the step under way, or with base the model without its adapter, speak: f may let it
// answer, and keeps nothing of it.
func (c *Control) Speak(ctx context.Context, base bool, f func(*Voice) error) (err error) {
	askErr := c.ask(ctx, func(s *session) {
		var v *Voice
		if v, err = s.voice(ctx, base); err == nil {
			err = f(v)
		}
	})
	return errors.Join(askErr, err)
}

// Answer is Speak for one answer. emit, if given, hears the text as it comes.
func (c *Control) Answer(ctx context.Context, base bool, messages []chat.Message, o generate.TextOptions, emit func(string)) (a generate.Answer, err error) {
	err = c.Speak(ctx, base, func(v *Voice) (err error) {
		a, err = v.Answer(ctx, messages, o, emit)
		return err
	})
	return a, err
}

func (c *Control) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
}

// ask lets the run do something between two steps and waits until it is done. f is not running when ask returns, unless
// ctx has ended.
func (c *Control) ask(ctx context.Context, f func(*session)) error {
	done := make(chan error, 1)
	refused := false
	c.change(func() {
		if refused = !c.going; refused {
			return
		}
		c.asked = append(c.asked, func(s *session) {
			switch {
			case s == nil:
				done <- errOver
			case ctx.Err() != nil: // nobody waits any more
				done <- ctx.Err()
			default:
				f(s)
				done <- nil
			}
		})
	})
	if refused {
		return errOver
	}
	return <-done
}

// between does what was asked for, and waits while the run is paused. The loop calls it before each step.
func (c *Control) between(ctx context.Context, s *session) {
	told := false
	for {
		c.mu.Lock()
		asked := c.asked
		c.asked = nil
		hold := c.paused && c.steps == 0
		if len(asked) == 0 && !hold && c.paused {
			c.steps--
		}
		if c.wake == nil {
			c.wake = make(chan struct{})
		}
		wake := c.wake
		c.mu.Unlock()
		for _, f := range asked {
			f(s)
		}
		switch {
		case len(asked) > 0:
			continue
		case !hold || ctx.Err() != nil:
			if told {
				s.sink(wire.Resumed{Step: s.loop.step})
			}
			return
		case !told:
			s.sink(wire.Paused{Step: s.loop.step})
			told = true
		}
		select {
		case <-ctx.Done():
		case <-wake:
		}
	}
}

// end refuses what was asked for too late.
func (c *Control) end() {
	c.mu.Lock()
	asked := c.asked
	c.asked, c.going = nil, false
	c.mu.Unlock()
	for _, f := range asked {
		f(nil)
	}
}

// changeRate sets a rate between two steps, and says so.
func (s *session) changeRate(rate float64) {
	s.setRate(rate)
	s.control.rate, s.loop.changed = rate, true
	s.sink(wire.RateChanged{Step: s.loop.step, LearningRate: rate})
}

// setRate changes the rate that the schedule starts from.
func (s *session) setRate(rate float64) { s.j.schedule.LearningRate, s.rate = rate, rate }

// voice lets the weights on the device speak. It is kept until the session ends.
func (s *session) voice(ctx context.Context, base bool) (*Voice, error) {
	if base && s.j.lora == nil {
		return nil, errors.New("full fine-tuning changes the base itself; only the tuned model can answer")
	}
	if v := s.voices[base]; v != nil {
		return v, nil
	}
	j := s.j
	if j.Tokenizer == nil {
		return nil, fmt.Errorf("model %s has no tokenizer, so it can neither read nor write text", j.baseName)
	}
	capacity := DefaultCapacity
	if most := j.Base.Model.Config().MaxPositions; most > 0 {
		capacity = min(capacity, most)
	}
	l := &Loaded{Dir: j.Recipe.Model, Base: j.Base, Tokenizer: j.Tokenizer, Capacity: capacity, dev: s.dev, template: j.template, states: s.states}
	trace := frozenTrace(s.states, nil)
	if !base && j.lora != nil {
		trace = frozenTrace(s.states, j.lora)
	}
	v := &Voice{model: l, template: j.template}
	ends, err := chat.ConfigStops(l.Dir)
	if err == nil {
		err = v.listen(ctx, trace, s.states, ends)
	}
	if err != nil {
		v.Close()
		return nil, err
	}
	if s.voices == nil {
		s.voices = map[bool]*Voice{}
	}
	s.voices[base] = v
	return v, nil
}
