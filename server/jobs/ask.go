package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"hone/core/host"
	"hone/core/run"
	"hone/core/wire"
)

// Whoever works on a run answers what is asked of it on the subject ask.<user>.<run>: frames as on every other link, the parts
// and then the reply to the inbox of who asks. "alive" comes at once.

func askSubject(user, id string) string { return "ask." + keyOf(user, id) }

// errUnheard says that nobody works on a run who could do what is asked of it.
var errUnheard = errors.New("nobody works on it")

func unheard(r *Refusal) *Refusal {
	r.cause = errUnheard
	return r
}

// answerTime is how long a worker may take for an answer between two signs of life.
const answerTime = 2 * time.Minute

// ask asks the worker of a run.
func (b *Broker) ask(ctx context.Context, user, id string, r wire.Request, part func(string, json.RawMessage)) (json.RawMessage, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(wire.Frame{V: wire.Version, Kind: wire.KindRequest, ID: 1, Name: r.Name(), Data: data})
	if err != nil {
		return nil, err
	}
	inbox := b.nc.NewRespInbox()
	sub, err := b.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer sub.Unsubscribe()
	if err := b.nc.PublishRequest(askSubject(user, id), inbox, raw); err != nil {
		return nil, err
	}
	for {
		wait, cancel := context.WithTimeout(ctx, answerTime)
		m, err := sub.NextMsgWithContext(wait)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, nats.ErrNoResponders) || err == nil && len(m.Data) == 0 && m.Header.Get("Status") == "503":
			return nil, unheard(refuse(409, "Nobody works on run %s at this moment; it waits for a worker.", id))
		case err != nil:
			return nil, refuse(504, "The worker of run %s does not answer.", id)
		}
		f, err := wire.ParseFrame(m.Data)
		if err != nil {
			return nil, err
		}
		if f.Kind == wire.KindPart {
			if part != nil {
				part(f.Name, f.Data)
			}
			continue
		}
		if f.Error == errReleased.Error() {
			return nil, unheard(refuse(409, "Run %s: %s.", id, f.Error))
		}
		if f.Error != "" {
			return nil, refuse(409, "%s", f.Error)
		}
		return f.Data, nil
	}
}

// serve answers what is asked of the run while this attempt lasts.
func (a *attempt) serve(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	sub, err := a.b.nc.Subscribe(askSubject(a.record.User, a.record.ID), func(m *nats.Msg) {
		go a.reply(ctx, m) // an answer may take seconds, a step must not wait for it
	})
	if err != nil {
		a.w.Log.Warn("the run cannot be steered", "error", err)
		return cancel
	}
	return func() { sub.Unsubscribe(); cancel() }
}

func (a *attempt) reply(ctx context.Context, m *nats.Msg) {
	send := func(f wire.Frame) {
		f.V, f.ID = wire.Version, 1
		if raw, err := json.Marshal(f); err == nil {
			m.Respond(raw)
		}
	}
	f, err := wire.ParseFrame(m.Data)
	var data any
	if err == nil {
		data, err = a.answer(ctx, f, func(name string, v any) {
			if raw, err := json.Marshal(v); err == nil {
				send(wire.Frame{Kind: wire.KindPart, Name: name, Data: raw})
			}
		})
	}
	out := wire.Frame{Kind: wire.KindReply}
	if err == nil && data != nil {
		out.Data, err = json.Marshal(data)
	}
	if err != nil {
		out.Data, out.Error = nil, a.clean(err)
	}
	send(out)
}

// answer does what a request says.
func (a *attempt) answer(ctx context.Context, f wire.Frame, part func(string, any)) (any, error) {
	r, err := wire.ParseRequest(f.Name, f.Data)
	if err != nil {
		return nil, err
	}
	if err := a.attended(); err != nil {
		return nil, err
	}
	switch r := r.(type) {
	case wire.Steer:
		switch r.Do {
		case "step":
			return nil, a.step(ctx, r.Key)
		case "save":
			a.asked.Add(1)
			_, err := a.control.Save(ctx)
			a.asked.Add(-1)
			return nil, err
		case "rate":
			return nil, a.setRate(ctx, r.LearningRate)
		}
		return nil, fmt.Errorf("a run cannot be told to %.40q", r.Do)
	case wire.Answer:
		return a.speak(ctx, r, part)
	}
	return nil, fmt.Errorf("whoever works on a run does not answer %s", f.Name)
}

// step does a single step, with a key only once: the record says so before, also to who works on the run later.
func (a *attempt) step(ctx context.Context, key string) error {
	again := false
	if key != "" {
		if err := a.write(ctx, func(r *Record) { again = !r.first(key) }); err != nil {
			return err
		}
	}
	if !again {
		a.control.Step()
	}
	return nil
}

// setRate sets the learning_rate, and lets the record say so until a State does: whoever goes on after this worker's death is to know.
func (a *attempt) setRate(ctx context.Context, rate float64) error {
	a.rating.Lock() // the last one that was set is the last one that is written
	defer a.rating.Unlock()
	if err := a.control.SetLearningRate(ctx, rate); err != nil {
		return err
	}
	a.mu.Lock()
	a.rate = rate
	a.mu.Unlock()
	return a.write(ctx, func(r *Record) { r.Rate = rate })
}

// speak lets the model as it is now answer, and its base beside it.
func (a *attempt) speak(ctx context.Context, r wire.Answer, part func(string, any)) (wire.Answers, error) {
	r.Tokens = min(max(r.Tokens, 1), run.DefaultCapacity)
	if err := host.CheckAnswer(r); err != nil {
		return wire.Answers{}, err
	}
	out, err := host.Speak(ctx, &a.control, r, part)
	out.Step = int(a.w.newest.Load())
	return out, err
}

// watchAgain is how long after a watch that failed another one is tried.
const watchAgain = 500 * time.Millisecond

// watch does what the run's user wants, now and whenever that changes. Where it cannot be heard it is tried again until it is: a run
// that nobody can stop or bring home may go on for days.
func (a *attempt) watch(ctx context.Context, end context.CancelCauseFunc) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	w, err := a.b.wanted.Watch(ctx, a.key)
	// next does what is wanted next. It reports whether there will be more; nil is the end of what there was at first.
	first := true
	next := func() (e jetstream.KeyValueEntry, more bool) {
		select {
		case <-ctx.Done():
			return nil, false
		case e, more = <-w.Updates():
		}
		switch {
		case e == nil:
			first = false
		case e.Operation() != jetstream.KeyValuePut:
			a.control.Resume()
		case string(e.Value()) == "stop":
			end(errStopped)
		case string(e.Value()) == "pause" && !(first && a.paused): // it was when it began, and may have steps to do
			a.control.Pause()
		}
		return e, more
	}
	if err == nil { // before anybody asks for single steps
		for e, more := next(); more && e != nil; e, more = next() {
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ; err != nil; w, err = a.b.wanted.Watch(ctx, a.key) {
			a.w.Log.Warn("what the user of a run wants cannot be heard; it is tried again", "run", a.record.ID, "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(watchAgain):
			}
		}
		defer w.Stop()
		for more := true; more; _, more = next() {
		}
	}()
	return func() { cancel(); <-ended }
}
