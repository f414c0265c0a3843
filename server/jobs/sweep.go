package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// maxSweeps is how often Sweep tries to let a run arrive.
const maxSweeps = 20

// Sweep puts runs back into the queue whose message was lost between two writes when a process died, and goes on with begins, endings and
// deletions that were cut short. A server does it at start and then from time to time. A run that fails keeps it from no other.
func (b *Broker) Sweep(ctx context.Context) error {
	var all []*Record // that need it; what they are large of is read again
	err := b.records(ctx, "*", func(r *Record) error {
		if r.Going || r.Arrives || r.Untold || !over(r.Status) {
			all = append(all, r.slim())
		}
		return nil
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range all {
		if err := b.sweep(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("run %s of %s: %w", r.ID, r.User, err))
		}
		if ctx.Err() != nil || !b.Ready() { // the others would fail as well, each after a while
			break
		}
	}
	return errors.Join(errs...)
}

// sweep does it for one run.
func (b *Broker) sweep(ctx context.Context, r *Record) error {
	switch {
	case r.Going:
		return b.deleteRest(ctx, r)
	case r.Arrives:
		return b.arriveSwept(ctx, r)
	case over(r.Status):
		return b.ended(ctx, r.User, r.ID)
	case r.Released:
		return b.attend(ctx, r.User, r.ID)
	}
	_, err := b.jobs.GetLastMsgForSubject(ctx, jobSubject(r))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		if err = b.enqueue(ctx, r); errors.Is(err, errQueued) {
			err = nil
		}
	}
	return err
}

// arriveSwept lets a run arrive whose begin was cut short. Tries are counted before they are made, so that what a server dies of is not tried
// for ever; a run that is given up has what it was brought with, and can be resumed.
func (b *Broker) arriveSwept(ctx context.Context, r *Record) error {
	r, err := b.update(ctx, r.User, r.ID, func(r *Record) error {
		switch {
		case !r.Arrives:
			return errUnchanged
		case r.Sweeps < maxSweeps:
			r.Sweeps++
			return nil
		}
		if r.Arrives, r.Sweeps = false, 0; !over(r.Status) {
			r.end(Failed, fmt.Sprintf("given up after %d attempts to let it begin; the log of the server says what failed", maxSweeps), nil)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if r.Arrives {
		return b.arrive(ctx, r.User, r.ID)
	}
	return b.ended(ctx, r.User, r.ID)
}
