package jobs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/checkpoint"
	"hone/core/move"
	"hone/core/wire"
	"hone/server/auth"
)

// What a run is doing.
const (
	Queued  = "queued"
	Running = "running"
	Paused  = "paused"
	Stopped = "stopped" // by its user; it can be resumed
	Failed  = "failed"
	Done    = "done"
)

// over reports whether nobody works on the run any more, nor will.
func over(status string) bool { return status == Stopped || status == Failed || status == Done }

// Record is all that is kept of a run beside its events and files.
type Record struct {
	User     string          `json:"user"`
	ID       string          `json:"id"`
	Recipe   json.RawMessage `json:"recipe"`
	Places   []wire.Place    `json:"places"`
	Priority int             `json:"priority"`
	Key      string          `json:"key,omitempty"` // see wire.Start
	Created  time.Time       `json:"created"`
	Note     string          `json:"note,omitempty"`
	Arrives  bool            `json:"arrives,omitempty"` // it is just beginning, see arrive
	Sweeps   int             `json:"sweeps,omitempty"`  // how often Sweep has tried to let it arrive
	Pause    bool            `json:"pause,omitempty"`   // it begins paused
	Quota    int64           `json:"quota,omitempty"`   // bytes that its user might keep when it began or was resumed; its worker keeps to it

	Status    string  `json:"status"`
	Reason    string  `json:"reason,omitempty"` // of the last attempt that failed
	Attempt   int     `json:"attempt"`          // each has its number; only who has the highest may write
	Fruitless int     `json:"fruitless"`        // attempts in a row that stored no State
	Losses    int     `json:"losses,omitempty"` // attempts in a row that stored no State and lost the device
	Worker    string  `json:"worker,omitempty"`
	Released  bool    `json:"released,omitempty"` // it is paused, and neither a worker has it nor the queue
	Until     int     `json:"until,omitempty"`    // a step that it does although it is paused
	Rate      float64 `json:"rate,omitempty"`     // learning_rate that was set and that no State has yet; the next worker begins with it
	Past      []Ended `json:"past,omitempty"`     // attempts that ended before the run did, the newest last

	Model    string  `json:"model"`
	Step     int     `json:"step"` // as of the last State
	Steps    int     `json:"steps"`
	Loss     float64 `json:"loss"`
	EvalLoss float64 `json:"eval_loss"`
	State    *State  `json:"state,omitempty"`
	Ending   *Ending `json:"ending,omitempty"` // the event that ends the run, written down before it is told
	Untold   bool    `json:"untold,omitempty"` // the event is still to be told
	Going    bool    `json:"going,omitempty"`  // it is being deleted: for its user it is not there any more

	Keys []string `json:"keys,omitempty"` // of the single steps that were asked for last, see wire.Steer

	now  int   // the step that its worker said last, see hear
	size int64 // bytes of the record itself, where it was read by each
}

// Now is the step that the run has come to, as far as is known: its worker says so every few seconds.
func (r *Record) Now() int { return max(r.Step, r.now) }

// under is the step that workers say of each run that they do, by user/id.
func under(workers []Presence) map[string]int {
	at := map[string]int{}
	for _, p := range workers {
		at[p.Run] = p.Step
	}
	return at
}

// hear notes how far workers are with the run.
func (r *Record) hear(at map[string]int) {
	if !over(r.Status) {
		r.now = at[r.User+"/"+r.ID]
	}
}

// Ended is an attempt that came to nothing, or only so far.
type Ended struct {
	Attempt int       `json:"attempt"`
	Worker  string    `json:"worker"`
	Step    int       `json:"step"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// State is a run directory as of a checkpoint. The files of checkpoints stand in entries of their own, see kept: the record has the
// same size however many there are.
type State struct {
	Step  int         `json:"step"`
	Files []wire.Blob `json:"files"`           // the run's own; in records of the first form those of its checkpoints as well
	Log   []piece     `json:"log,omitempty"`   // what the log among the files is put together from; none: it is one object
	Kept  int64       `json:"kept,omitempty"`  // bytes of the checkpoints in entries
	With  []int       `json:"with,omitempty"`  // checkpoints that came with a run that was brought
	Timed []int       `json:"timed,omitempty"` // checkpoints that the recipe does not ask for, which go when there are newer ones
	Gone  []int       `json:"gone,omitempty"`  // checkpoints whose entries are removed now
}

// Bytes that the run directory has.
func (s *State) Bytes() int64 {
	if s == nil {
		return 0
	}
	return bytesOf(s.Files) + s.Kept
}

// objects are the contents of the run's own files, as they are stored.
func (s *State) objects() (all []string) {
	if s == nil {
		return nil
	}
	for _, f := range s.Files {
		if f.Path != checkpoint.LogFile || len(s.Log) == 0 {
			all = append(all, f.SHA256)
		}
	}
	for _, p := range s.Log {
		all = append(all, p.SHA256)
	}
	return all
}

// Ending is an event.
type Ending struct {
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
}

// Wire is the run as its user sees it.
func (r *Record) Wire() wire.Run {
	reason := r.Reason
	if r.Status == Paused {
		if reason = ""; r.Released {
			reason = "its device is free for others; it is queued again when it goes on"
		}
	}
	return wire.Run{ID: r.ID, Model: r.Model, Started: r.Created.Format(time.RFC3339), Step: r.Now(), Steps: r.Steps, Loss: r.Loss, EvalLoss: r.EvalLoss,
		Finished: r.Status == Done, Bytes: r.State.Bytes(), Note: r.Note, Recipe: r.Recipe, Status: r.Status, Reason: reason, Attempts: r.Attempt}
}

// token is a run's id as a part of keys and subjects.
func token(id string) string { return base64.RawURLEncoding.EncodeToString([]byte(id)) }

// keyOf is a run's key. Users have names that need no encoding.
func keyOf(user, id string) string { return user + "." + token(id) }

// NotFound says that a user has no run of that name. It is the same for runs of others.
type NotFound struct{ Run string }

func (e *NotFound) Error() string {
	return fmt.Sprintf("there is no run %.100q of yours on this server; `hone runs` lists them", e.Run)
}

// get reads a record.
func (b *Broker) get(ctx context.Context, user, id string) (*Record, uint64, error) {
	r, revision, err := b.record(ctx, user, id)
	if err == nil && r.Going {
		return nil, 0, &NotFound{id}
	}
	return r, revision, err
}

// record reads a record, also of a run that is being deleted. What cannot be the id of a run gets no key: the engine ends the
// connection of whoever sends it a subject of several thousand bytes, and the connection is everybody's.
func (b *Broker) record(ctx context.Context, user, id string) (*Record, uint64, error) {
	if !move.IsID(id) || auth.CheckUser(user) != nil {
		return nil, 0, &NotFound{id}
	}
	e, err := b.runs.Get(ctx, keyOf(user, id))
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
		return nil, 0, &NotFound{id}
	}
	if err != nil {
		return nil, 0, fmt.Errorf("jobs: reading run %s: %w", id, err)
	}
	var r Record
	if err := json.Unmarshal(e.Value(), &r); err != nil {
		return nil, 0, fmt.Errorf("jobs: the record of run %s: %w", id, err)
	}
	return &r, e.Revision(), nil
}

// each calls f with the records of a user, or of all where user is "*", one after the other, without those that are being deleted. f keeps
// of them only what it needs: all of them may be more than memory holds.
func (b *Broker) each(ctx context.Context, user string, f func(*Record) error) error {
	return b.records(ctx, user, func(r *Record) error {
		if r.Going {
			return nil
		}
		return f(r)
	})
}

// records is each, with those that are being deleted.
func (b *Broker) records(ctx context.Context, user string, f func(*Record) error) error {
	w, err := b.runs.Watch(ctx, user+".*", jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("jobs: listing runs: %w", err)
	}
	defer w.Stop()
	for {
		select {
		case e := <-w.Updates():
			if e == nil { // that is all that there is now
				return nil
			}
			r := &Record{size: int64(len(e.Value()))}
			if err := json.Unmarshal(e.Value(), r); err != nil {
				return fmt.Errorf("jobs: the record %s: %w", e.Key(), err)
			}
			if err := f(r); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// slim drops what makes a record large.
func (r *Record) slim() *Record {
	r.Recipe, r.Places, r.Past = nil, nil, nil
	if r.State != nil {
		r.State = &State{Step: r.State.Step, Kept: r.State.Bytes()}
	}
	return r
}

// errUnchanged, from the function that update calls, leaves the record as it is.
var errUnchanged = errors.New("unchanged")

// update changes a record as f says, again and again while others do the same.
func (b *Broker) update(ctx context.Context, user, id string, f func(*Record) error) (*Record, error) {
	for {
		r, revision, err := b.get(ctx, user, id)
		if err != nil {
			return nil, err
		}
		if err := f(r); errors.Is(err, errUnchanged) {
			return r, nil
		} else if err != nil {
			return nil, err
		}
		raw, err := json.Marshal(r)
		if err != nil {
			return nil, err
		}
		_, err = b.runs.Update(ctx, keyOf(user, id), raw, revision)
		if err == nil {
			return r, nil
		}
		if !changedMeanwhile(err) {
			return nil, fmt.Errorf("jobs: writing run %s: %w", id, err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// changedMeanwhile reports whether somebody else wrote first.
func changedMeanwhile(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, jetstream.ErrKeyExists) || errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}

// Count says how many runs of all users are in which status, and how many bytes their States have.
func (b *Broker) Count(ctx context.Context) (byStatus map[string]int, bytes int64, err error) {
	byStatus = map[string]int{}
	for _, s := range []string{Queued, Running, Paused, Stopped, Failed, Done} {
		byStatus[s] = 0
	}
	err = b.each(ctx, "*", func(r *Record) error {
		byStatus[r.Status]++
		bytes += r.State.Bytes()
		return nil
	})
	return byStatus, bytes, err
}
