package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"hone/core/wire"
)

// journal writes the events of one run. An event is stored only behind the one that its writer knows as the last, so of two who
// think that a run is theirs one is refused: there is one order, without gaps, whatever dies when.
type journal struct {
	b    *Broker
	user string
	run  string
	by   string // who writes: the number of an attempt, or a name made up for one event
	seq  uint64 // of the run's last event
	last uint64 // its place in the stream
}

// errFenced says that somebody else has the run now.
var errFenced = errors.New("another worker has the run now")

// stored is an event as it lies in the stream.
type stored struct {
	frame wire.Frame
	at    uint64
	by    string
}

// attemptHeader names the attempt that wrote an event.
const attemptHeader = "Hone-Attempt"

func subjectOf(user, id string) string { return "events." + keyOf(user, id) }

// openJournal finds the end of a run's events.
func (b *Broker) openJournal(ctx context.Context, user, id, by string) (*journal, error) {
	j := &journal{b: b, user: user, run: id, by: by}
	s, err := b.lastEvent(ctx, user, id)
	if err != nil {
		return nil, err
	}
	j.seq, j.last = s.frame.Seq, s.at
	return j, nil
}

// lastEvent is the last one of a run, or nothing.
func (b *Broker) lastEvent(ctx context.Context, user, id string) (stored, error) {
	m, err := b.events.GetLastMsgForSubject(ctx, subjectOf(user, id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return stored{}, nil
	}
	if err != nil {
		return stored{}, fmt.Errorf("jobs: the events of run %s: %w", id, err)
	}
	f, err := wire.ParseFrame(m.Data)
	return stored{f, m.Sequence, m.Header.Get(attemptHeader)}, err
}

// write stores an event, once, and tries until it is stored, ctx ends or somebody else has the run.
func (j *journal) write(ctx context.Context, name string, data json.RawMessage) error {
	f := wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: j.run, Seq: j.seq + 1, Name: name, Data: data}
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	m := nats.NewMsg(subjectOf(j.user, j.run))
	m.Data = raw
	m.Header.Set(attemptHeader, j.by)
	id := keyOf(j.user, j.run) + ":" + strconv.FormatUint(f.Seq, 10) + ":" + j.by
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		ack, err := j.publish(ctx, m, id)
		if err == nil {
			j.seq, j.last = f.Seq, ack.Sequence
			return nil
		}
		var api *jetstream.APIError
		if errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
			s, err := j.b.lastEvent(ctx, j.user, j.run)
			if err == nil && s.by == j.by && s.frame.Seq == f.Seq { // it was stored, and the answer got lost
				j.seq, j.last = f.Seq, s.at
				return nil
			}
			if err == nil {
				return errFenced
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (j *journal) publish(ctx context.Context, m *nats.Msg, id string) (*jetstream.PubAck, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return j.b.js.PublishMsg(ctx, m, jetstream.WithMsgID(id), jetstream.WithExpectLastSequencePerSubject(j.last))
}

// event writes an event.
func (j *journal) event(ctx context.Context, e wire.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return j.write(ctx, wire.Name(e), data)
}

// say writes one event behind the last one, whoever else writes: for those who do not work on the run.
func (b *Broker) say(ctx context.Context, user, id string, e wire.Event) error {
	for {
		j, err := b.openJournal(ctx, user, id, nuid.Next())
		if err != nil {
			return err
		}
		if err = j.event(ctx, e); !errors.Is(err, errFenced) {
			return err
		}
	}
}

// replay reads the events of a run from a Seq on, up to a size that fits into a frame.
func (b *Broker) replay(ctx context.Context, user, id string, from uint64) (wire.Told, error) {
	told := wire.Told{Events: []wire.Frame{}, Next: max(from, 1)}
	size := 0
	err := b.eachEvent(ctx, user, id, func(f wire.Frame, raw []byte) bool {
		if f.Seq < from {
			return true
		}
		if size += len(raw) + 1; size > wire.MaxFrame/2 {
			return false
		}
		told.Events = append(told.Events, f)
		told.Next = f.Seq + 1
		return true
	})
	return told, err
}

// eachEvent calls f with the events of a run in order while it says true.
func (b *Broker) eachEvent(ctx context.Context, user, id string, f func(wire.Frame, []byte) bool) error {
	last, err := b.lastEvent(ctx, user, id)
	if err != nil || last.at == 0 {
		return err
	}
	c, err := b.js.OrderedConsumer(ctx, "EVENTS", jetstream.OrderedConsumerConfig{FilterSubjects: []string{subjectOf(user, id)}, DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return fmt.Errorf("jobs: the events of run %s: %w", id, err)
	}
	it, err := c.Messages(jetstream.PullMaxMessages(256))
	if err != nil {
		return fmt.Errorf("jobs: the events of run %s: %w", id, err)
	}
	defer it.Stop()
	stop := context.AfterFunc(ctx, it.Stop)
	defer stop()
	for {
		m, err := it.Next()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("jobs: the events of run %s: %w", id, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		frame, err := wire.ParseFrame(m.Data())
		if err != nil {
			return err
		}
		if !f(frame, m.Data()) || meta.Sequence.Stream >= last.at {
			return nil
		}
	}
}
