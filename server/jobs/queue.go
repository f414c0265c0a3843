package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/wire"
)

// ticket is the message of a job: the rest is in the record.
type ticket struct {
	User string `json:"user"`
	ID   string `json:"id"`
}

func jobSubject(r *Record) string { return fmt.Sprintf("jobs.%d.%s", r.Priority, keyOf(r.User, r.ID)) }

// dequeue takes a run's messages out of the queue: nobody should work on it, and when it comes again it may have another priority, and so a
// message beside the old one. The record says already that the run is over; if this is cut short, whoever takes the message finds that.
func (b *Broker) dequeue(ctx context.Context, r *Record) error {
	if err := b.jobs.Purge(ctx, jetstream.WithPurgeSubject("jobs.*."+keyOf(r.User, r.ID))); err != nil {
		return fmt.Errorf("jobs: taking run %s out of the queue: %w", r.ID, err)
	}
	return nil
}

// strays reports whether a message is left of an earlier life of its run, which had another priority.
func (b *Broker) strays(ctx context.Context, t ticket, subject string) (bool, error) {
	r, _, err := b.get(ctx, t.User, t.ID)
	return err == nil && subject != jobSubject(r), err
}

// enqueueAgain does it for a run that is over: its worker may be just about to take the old message out of the queue. If that
// one stays, its worker has died in between, and the message will find the next one by itself.
func (b *Broker) enqueueAgain(ctx context.Context, r *Record) error {
	for began := time.Now(); ; {
		err := b.enqueue(ctx, r)
		if !errors.Is(err, errQueued) {
			return err
		}
		if time.Since(began) > 5*time.Second {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// errQueued says that a run has its message in the queue already.
var errQueued = errors.New("it is in the queue")

// enqueue puts a run's message into the queue.
func (b *Broker) enqueue(ctx context.Context, r *Record) error {
	raw, err := json.Marshal(ticket{r.User, r.ID})
	if err != nil {
		return err
	}
	_, err = b.js.Publish(ctx, jobSubject(r), raw)
	var api *jetstream.APIError
	if errors.As(err, &api) && strings.Contains(api.Description, "maximum messages per subject") {
		return errQueued
	}
	if err != nil {
		return fmt.Errorf("jobs: queueing run %s: %w", r.ID, err)
	}
	return nil
}

// Resume lets a run that is over go on from its last State.
func (b *Broker) Resume(ctx context.Context, user, id string) error {
	r, err := b.reopen(ctx, user, id)
	if err != nil {
		return err
	}
	if err := b.wanted.Purge(ctx, keyOf(user, id)); err != nil {
		return err
	}
	if r.Status != Queued {
		return nil
	}
	if err := b.say(ctx, user, id, wire.Queued{Step: r.Step, Reason: "resumed"}); err != nil {
		return err
	}
	return b.enqueueAgain(ctx, r)
}

// reopen writes down that a run is not over any more.
func (b *Broker) reopen(ctx context.Context, user, id string) (*Record, error) {
	defer b.oneMore(user)()
	if before, _, err := b.get(ctx, user, id); err != nil {
		return nil, err
	} else if over(before.Status) && before.Status != Done {
		if err := b.mayBegin(ctx, user); err != nil {
			return nil, err
		}
	}
	return b.update(ctx, user, id, func(r *Record) error {
		if r.Status == Done {
			return refuse(409, "Run %s is done.", id)
		}
		if !over(r.Status) {
			return errUnchanged
		}
		r.Status, r.Reason, r.Ending, r.Untold, r.Fruitless, r.Losses, r.Until = Queued, "", nil, false, 0, 0, 0
		r.Quota = b.allowed(user)
		return nil
	})
}

// Want tells whoever works on a run, now or later, what its user wants: pause, continue or stop.
func (b *Broker) Want(ctx context.Context, user, id, what string) error {
	r, _, err := b.get(ctx, user, id)
	if err != nil {
		return err
	}
	if over(r.Status) {
		if r.Untold { // an earlier stop was cut short
			if err := b.ended(ctx, user, id); err != nil {
				return err
			}
		}
		if what == "stop" && r.Status == Stopped { // whose answer got lost
			return nil
		}
		return refuse(409, "Run %s is %s; nobody works on it.", id, r.Status)
	}
	key := keyOf(user, id)
	switch what {
	case "continue":
		if err := b.wanted.Purge(ctx, key); err != nil {
			return err
		}
		return b.attend(ctx, user, id)
	case "stop":
		if ended, err := b.cancel(ctx, user, id); err != nil || ended {
			return err
		}
	}
	if _, err := b.wanted.PutString(ctx, key, what); err != nil {
		return fmt.Errorf("jobs: run %s: %w", id, err)
	}
	return b.attend(ctx, user, id)
}

// cancel ends a run that nobody works on: it may be long until a worker takes it, and that one finds that it is over.
func (b *Broker) cancel(ctx context.Context, user, id string) (ended bool, err error) {
	_, err = b.update(ctx, user, id, func(r *Record) error {
		if ended = r.Status == Queued || r.Released; !ended {
			return errUnchanged
		}
		r.end(Stopped, "", wire.Finished{Step: r.Step, Stopped: "stopped"})
		return nil
	})
	if err != nil || !ended {
		return false, err
	}
	return true, b.ended(ctx, user, id)
}

// wants is what the user of a run wants of it; "" is that it goes on.
func (b *Broker) wants(ctx context.Context, user, id string) (string, error) {
	e, err := b.wanted.Get(ctx, keyOf(user, id))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return string(e.Value()), nil
}
