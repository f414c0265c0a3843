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
	by   string // who writes, a name made up for the attempt or for one event
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

// attemptHeader names who wrote an event.
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
	var f wire.Frame
	if err := json.Unmarshal(m.Data, &f); err != nil {
		return stored{}, fmt.Errorf("jobs: the events of run %s: %w", id, err)
	}
	return stored{f, m.Sequence, m.Header.Get(attemptHeader)}, nil
}

// write stores an event, once, and tries until it is stored, ctx ends or somebody else has the run.
func (j *journal) write(ctx context.Context, name string, data json.RawMessage) error {
	f := wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: j.run, Seq: j.seq + 1, Name: name, Data: data}
	f, raw, err := short(f)
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
