package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Delete removes a run that nobody works on, with its files and events.
func (b *Broker) Delete(ctx context.Context, user, id string) error {
	b.deleting.Lock()
	defer b.deleting.Unlock()
	r, err := b.update(ctx, user, id, func(r *Record) error {
		if !over(r.Status) {
			return refuse(409, "Run %s is %s; stop it first.", id, r.Status)
		}
		r.Going = true
		return nil
	})
	if err != nil {
		return err
	}
	return b.finishDelete(ctx, r)
}

// finishDelete removes what belongs to a run that is being deleted; its record is the last to go. Whatever cuts it short, Sweep goes
// on with it.
func (b *Broker) finishDelete(ctx context.Context, r *Record) error {
	err := b.eachCheckpoint(ctx, r.User, r.ID, func(k *kept) error { return b.unlist(ctx, r.User, r.ID, k.step) })
	if err == nil {
		err = b.eraseAll(ctx, keyOf(r.User, r.ID)+".")
	}
	if err != nil {
		return err
	}
	if err := b.dequeue(ctx, r); err != nil {
		return err
	}
	if err := b.events.Purge(ctx, jetstream.WithPurgeSubject(subjectOf(r.User, r.ID))); err != nil {
		return err
	}
	if err := b.wanted.Purge(ctx, keyOf(r.User, r.ID)); err != nil {
		return err
	}
	return b.runs.Purge(ctx, keyOf(r.User, r.ID))
}

// eraseAll removes all objects of a run, also those that a worker has stored and died before anything named them.
func (b *Broker) eraseAll(ctx context.Context, prefix string) error {
	stream, err := b.js.Stream(ctx, "OBJ_states")
	var w jetstream.ObjectWatcher
	if err == nil {
		w, err = b.states.Watch(ctx)
	}
	if err != nil {
		return fmt.Errorf("jobs: removing the files of a run: %w", err)
	}
	defer w.Stop()
	for {
		select {
		case o := <-w.Updates():
			if o == nil { // that is all that there is now
				return nil
			}
			if strings.HasPrefix(o.Name, prefix) {
				if err := eraseFrom(ctx, stream, o); err != nil {
					return fmt.Errorf("jobs: removing %s: %w", o.Name, err)
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// deleteRest goes on with a deletion, unless whoever began it is at it, or has done it and the run was brought here again.
func (b *Broker) deleteRest(ctx context.Context, r *Record) error {
	b.deleting.Lock()
	defer b.deleting.Unlock()
	now, _, err := b.record(ctx, r.User, r.ID)
	var gone *NotFound
	if errors.As(err, &gone) || err == nil && !now.Going {
		return nil
	}
	if err != nil {
		return err
	}
	return b.finishDelete(ctx, now)
}
