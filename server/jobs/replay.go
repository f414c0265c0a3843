package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/wire"
)

// maxEvent is how many bytes an event may have: several have room in a frame, so whoever asks for what is missing always gets on.
const maxEvent = wire.MaxFrame / 4

// maxReason is what is left of the reason of a failure that is too long.
const maxReason = 4 << 10

// short is an event as it is told, with its bytes: itself, or in the place of one that is too long another that says so. The end of a
// run stays its end.
func short(f wire.Frame) (wire.Frame, []byte, error) {
	raw, err := json.Marshal(f)
	if err != nil || len(raw) <= maxEvent {
		return f, raw, err
	}
	var instead wire.Event = wire.Warning{Text: fmt.Sprintf("what happened here (%.40s, step %d) has %d bytes and is not told: at most %d are", f.Name, stepIn(f.Data), len(raw), maxEvent)}
	switch f.Name {
	case "failed":
		var e wire.Failed
		if err := json.Unmarshal(f.Data, &e); err != nil {
			return f, nil, err
		}
		e.Reason = strings.ToValidUTF8(e.Reason[:min(len(e.Reason), maxReason)], "") + " …"
		instead = e
	case "finished":
		instead = wire.Finished{Step: stepIn(f.Data)}
	}
	f.Name = wire.Name(instead)
	if f.Data, err = json.Marshal(instead); err == nil {
		raw, err = json.Marshal(f)
	}
	return f, raw, err
}

// replay reads the events of a run from a Seq on, up to a size that fits into a frame.
func (b *Broker) replay(ctx context.Context, user, id string, from uint64) (wire.Told, error) {
	told := wire.Told{Events: []wire.Frame{}, Next: max(from, 1)}
	size := 0
	var bad error
	err := b.eachEvent(ctx, user, id, from, func(f wire.Frame) bool {
		f, raw, err := short(f) // one that an earlier release has stored may be too long
		if bad = err; err != nil {
			return false
		}
		if size += len(raw) + 1; size > wire.MaxFrame/2 {
			return false
		}
		told.Events = append(told.Events, f)
		told.Next = f.Seq + 1
		return true
	})
	return told, errors.Join(err, bad)
}

// eachEvent calls f with the events of a run, as far as there are any now, in order from a Seq on, while it says true.
func (b *Broker) eachEvent(ctx context.Context, user, id string, from uint64, f func(wire.Frame) bool) error {
	last, err := b.lastEvent(ctx, user, id)
	if err != nil || last.at == 0 || last.frame.Seq < from {
		return err
	}
	return b.hear(ctx, user, id, from, last, func(e wire.Frame) bool { return f(e) && e.Seq < last.frame.Seq })
}

// Follow calls f with the last events of a run, at most so many, and then with those that come, in their order, while it says true.
// newest is false for an event that others were behind when Follow began.
func (b *Broker) Follow(ctx context.Context, user, id string, most int, f func(e wire.Frame, newest bool) bool) error {
	last, err := b.lastEvent(ctx, user, id)
	if err != nil {
		return err
	}
	from := uint64(1)
	if last.frame.Seq > uint64(most) {
		from = last.frame.Seq - uint64(most) + 1
	}
	return b.hear(ctx, user, id, from, last, func(e wire.Frame) bool { return f(e, e.Seq >= last.frame.Seq) })
}

// errGone ends the reading of events that were deleted meanwhile.
var errGone = errors.New("the run was deleted")

// stillThere is how often it is looked whether events that are waited for can still come.
const stillThere = time.Second

// mind ends a reader when events that it has heard, or that were there when it began, are deleted: it would wait for them for ever.
func (b *Broker) mind(ctx context.Context, user, id string, heard *atomic.Uint64, end context.CancelCauseFunc) {
	tick := time.NewTicker(stillThere)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			before := heard.Load()
			if now, err := b.lastEvent(ctx, user, id); err == nil && now.frame.Seq < before { // none, or those of another run of that name
				end(errGone)
				return
			}
		}
	}
}

// hear calls f with the events of a run in order from a Seq on, which is there or comes next, while it says true and the run is there.
func (b *Broker) hear(ctx context.Context, user, id string, from uint64, last stored, f func(wire.Frame) bool) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	var heard atomic.Uint64
	heard.Store(last.frame.Seq)
	go b.mind(ctx, user, id, &heard, end)
	fail := func(err error) error {
		if context.Cause(ctx) == errGone {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("jobs: the events of run %s: %w", id, err)
	}
	c := jetstream.OrderedConsumerConfig{FilterSubjects: []string{subjectOf(user, id)}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy}
	var err error
	if c.OptStartSeq, err = b.place(ctx, subjectOf(user, id), from, last); err != nil {
		return fail(err)
	}
	consumer, leave, err := b.ordered(ctx, "EVENTS", c)
	if err != nil {
		return fail(err)
	}
	defer leave()
	it, err := consumer.Messages(jetstream.PullMaxMessages(256))
	if err != nil {
		return fail(err)
	}
	defer it.Stop()
	for {
		m, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fail(err)
		}
		var e wire.Frame
		if err := json.Unmarshal(m.Data(), &e); err != nil {
			return fail(err)
		}
		heard.Store(max(e.Seq, heard.Load()))
		if e.Seq >= from && !f(e) {
			return nil
		}
	}
}

// nearEvents is how many events before the one that is wanted are read along rather than looked for any longer.
const nearEvents = 32

// place finds where in the stream an event of a run lies, or one a little before it. The events of a run have rising numbers and
// places, so each look halves what is left: a run of a million events takes twenty looks, and no more memory than one of ten.
func (b *Broker) place(ctx context.Context, subject string, seq uint64, last stored) (uint64, error) {
	low, high := uint64(1), last.at
	for seq > 1 && low < high {
		middle := low + (high-low)/2
		m, err := b.events.GetMsg(ctx, middle, jetstream.WithGetMsgSubject(subject)) // the first one there or behind
		if err != nil {
			return 0, err
		}
		var f wire.Frame
		if err := json.Unmarshal(m.Data, &f); err != nil {
			return 0, err
		}
		switch {
		case f.Seq > seq:
			high = middle - 1
		case f.Seq+nearEvents >= seq:
			return m.Sequence, nil
		default:
			low = m.Sequence + 1
		}
	}
	return low, nil
}
