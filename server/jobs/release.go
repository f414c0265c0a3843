package jobs

import (
	"context"
	"errors"
	"slices"
	"time"

	"hone/core/run"
	"hone/core/wire"
)

// A run that is paused for long gives its device back to those who wait for one: its State is stored, its record says that nobody
// works on it, and its message leaves the queue. What its user wants next puts it there again.

// defaultPatience is how long a paused run keeps its device.
const defaultPatience = 5 * time.Minute

// errReleased is why an attempt ends whose run was paused for so long, and what is answered meanwhile.
var errReleased = errors.New("the run was paused for long and gives its device back; ask again in a moment")

// waits counts the time of a pause from now on. The caller holds the lock.
func (a *attempt) waits() {
	var t *time.Timer
	t = time.AfterFunc(a.w.Patience, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.pause == t { // otherwise it went on, or was asked something, just before
			a.releasing = true
			a.end(errReleased)
		}
	})
	if a.pause != nil {
		a.pause.Stop()
	}
	a.pause = t
}

// holds notes that the run is paused.
func (a *attempt) holds() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waits()
}

// goesOn notes that the run is not paused any more. It is no news of a run that only leaves its worker.
func (a *attempt) goesOn() (news bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pause != nil {
		a.pause.Stop()
		a.pause = nil
	}
	return !a.releasing
}

// attended notes that somebody asks something of the run, who will not want it to leave now.
func (a *attempt) attended() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.releasing {
		return errReleased
	}
	if a.pause != nil {
		a.waits()
	}
	return nil
}

// release writes down that nobody works on the run any more. Its State is stored.
func (a *attempt) release(ctx context.Context) error {
	if fenced := a.events.close(); errors.Is(fenced, errFenced) {
		return fenced
	}
	var step int
	if err := a.write(ctx, func(r *Record) {
		r.Status, r.Released, r.Worker, r.Fruitless, r.Losses = Paused, true, "", 0, 0
		step = r.Step
	}); err != nil {
		return err
	}
	a.status = Paused
	if err := a.journal.event(ctx, wire.Paused{Step: step, Released: true}); !errors.Is(err, errFenced) {
		return err
	}
	return nil // its user has let it go on or has stopped it since the record says that nobody has it
}

// attend does what the user of a released run wants. Whoever has written one of the two calls it, so it does not matter which was first.
func (b *Broker) attend(ctx context.Context, user, id string) error {
	r, _, err := b.get(ctx, user, id)
	if err != nil || !r.Released {
		return err
	}
	wants, err := b.wants(ctx, user, id)
	switch {
	case err != nil:
		return err
	case wants == "stop":
		_, err = b.cancel(ctx, user, id)
	case wants == "":
		err = b.takeUp(ctx, user, id, 0, "")
	}
	return err
}

// takeUp puts a released run into the queue: to go on, or to do so many steps, which were asked for with a key, and be paused again. If
// this is cut short, Sweep makes up for it.
func (b *Broker) takeUp(ctx context.Context, user, id string, steps int, key string) error {
	taken := false
	r, err := b.update(ctx, user, id, func(r *Record) error {
		if taken = r.Released && r.first(key); !taken {
			return errUnchanged
		}
		r.Status, r.Released, r.Until = Queued, false, 0
		if steps > 0 {
			r.Until = r.Step + steps
		}
		return nil
	})
	if err != nil || !taken {
		return err
	}
	if err := b.say(ctx, user, id, wire.Queued{Step: r.Step}); err != nil {
		return err
	}
	return b.enqueueAgain(ctx, r)
}

// steps reports whether a run waits for a worker that does single steps.
func (r *Record) steps() bool { return r.Status == Queued && r.Until > r.Step }

// lastKeys is how many steps may be asked for before one of them is answered.
const lastKeys = 16

// first notes the key of a single step. It reports whether that was not asked for before.
func (r *Record) first(key string) bool {
	switch {
	case key == "":
		return true
	case slices.Contains(r.Keys, key):
		return false
	}
	r.Keys = append(r.Keys, key)
	r.Keys = r.Keys[max(0, len(r.Keys)-lastKeys):]
	return true
}

// handover is how long a worker may take to let go of a run or to begin with it, for who asks something of it meanwhile.
const handover = 10 * time.Second

// steer changes a run: its worker does it, or the record remembers it for the next one.
func (d *Desk) steer(ctx context.Context, r wire.Steer) error {
	b, user := d.Broker, d.Who.User
	for began := time.Now(); ; {
		rec, _, err := b.get(ctx, user, r.Run)
		if err != nil {
			return err
		}
		if len(r.Key) > maxKey {
			return refuse(413, "The key of a request has %d bytes; up to %d are taken.", len(r.Key), maxKey)
		}
		if slices.Contains(rec.Keys, r.Key) { // its reply did not come
			return nil
		}
		if done, err := b.steerIdle(ctx, rec, r); err != nil || done {
			return err
		}
		_, err = d.worker(ctx, r.Run, r, nil)
		if !errors.Is(err, errUnheard) || rec.Status == Queued || time.Since(began) > handover {
			return err
		}
		select { // it is just being released or taken up
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// steerIdle does with a run that nobody works on what can be done without a device. done is false where a worker has to do it.
func (b *Broker) steerIdle(ctx context.Context, rec *Record, r wire.Steer) (done bool, err error) {
	switch {
	case r.Do == "rate" && (rec.Released || rec.Status == Queued):
		if err := run.CheckRate(r.LearningRate); err != nil {
			return false, refuse(400, "%v", err)
		}
		_, err = b.update(ctx, rec.User, rec.ID, func(now *Record) error {
			if done = now.Released || now.Status == Queued; !done {
				return errUnchanged
			}
			now.Rate = r.LearningRate
			return nil
		})
	case r.Do == "step" && rec.Released:
		return true, b.takeUp(ctx, rec.User, rec.ID, 1, r.Key)
	case r.Do == "step" && rec.steps():
		_, err = b.update(ctx, rec.User, rec.ID, func(now *Record) error {
			if done = now.steps(); !done || !now.first(r.Key) {
				return errUnchanged
			}
			now.Until++
			return nil
		})
	case r.Do == "save" && rec.Released:
		_, err = b.update(ctx, rec.User, rec.ID, func(now *Record) error {
			if done = now.Released; !done {
				return errUnchanged
			}
			if now.State != nil { // it is stored, and from now on not in passing
				now.State.Timed = slices.DeleteFunc(now.State.Timed, func(step int) bool { return step == now.State.Step })
			}
			return nil
		})
	case rec.Released:
		return false, refuse(400, "A run cannot be told to %.40q.", r.Do)
	}
	return done, err
}
