package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nuid"

	"hone/core/wire"
)

// A run ends with its record, which holds the event that will say so; then the event is told, then the message is taken out of the queue.
// What is cut short in between is made up for by Sweep, or by whoever takes the message.

// endTime is how long may be taken for what belongs to the end of a run beside its record, when whoever asked for it does not wait.
const endTime = 30 * time.Second

// end notes how the run ends, with the event that will say so.
func (r *Record) end(status, reason string, e wire.Event) {
	if e == nil {
		e = wire.Failed{Step: r.Step, Reason: reason}
	}
	r.Status, r.Reason, r.Released = status, reason, false
	raw, err := json.Marshal(e)
	if err != nil {
		raw, _ = json.Marshal(wire.Failed{Step: r.Step, Reason: err.Error()})
	}
	r.Ending, r.Untold = &Ending{wire.Name(e), raw}, true
}

// ended does what belongs to the end of a run that its record says, though whoever asked for it may be gone.
func (b *Broker) ended(ctx context.Context, user, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	if err := b.tellEnding(ctx, user, id); err != nil {
		return err
	}
	r, _, err := b.get(ctx, user, id)
	var none *NotFound
	if errors.As(err, &none) || err == nil && !over(r.Status) { // deleted, or resumed
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(b.dequeue(ctx, r), b.wanted.Purge(ctx, keyOf(user, id)))
}

// tellEnding writes the event that ends a run unless it is there, and that it is told.
func (b *Broker) tellEnding(ctx context.Context, user, id string) error {
	for {
		last, err := b.lastEvent(ctx, user, id)
		if err != nil {
			return err
		}
		// The record is read behind the event: if the run is resumed meanwhile, that is told, and this is not written behind it.
		r, _, err := b.get(ctx, user, id)
		var none *NotFound
		if errors.As(err, &none) || err == nil && (!over(r.Status) || r.Ending == nil) {
			return nil
		}
		if err != nil {
			return err
		}
		if last.frame.Name != r.Ending.Name {
			j := &journal{b: b, user: user, run: id, by: nuid.Next(), seq: last.frame.Seq, last: last.at}
			if err := j.write(ctx, r.Ending.Name, r.Ending.Data); errors.Is(err, errFenced) {
				continue
			} else if err != nil {
				return err
			}
		}
		if !r.Untold {
			return nil
		}
		_, err = b.update(ctx, user, id, func(r *Record) error {
			if !r.Untold {
				return errUnchanged
			}
			r.Untold = false
			return nil
		})
		if errors.As(err, &none) {
			return nil
		}
		return err
	}
}
