package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/run"
	"hone/core/wire"
	"hone/server/auth"
)

// Desk is where a user's requests are answered. It is a wire.Link to all runs of that user, whoever works on them.
type Desk struct {
	Broker *Broker
	Who    auth.Identity
	Quota  int64 // bytes that the user may keep here; 0 is unknown
}

// blobsInFrame is how many files are named in one frame, which has 1 MiB.
const blobsInFrame = 1000

// needs says which scope a request takes.
func needs(r wire.Request) auth.Scope {
	switch r.(type) {
	case wire.Hello, wire.Runs, wire.Replay, wire.Carry, wire.Export:
		return auth.View
	}
	return auth.Run
}

// Ask answers a request of the desk's user.
func (d *Desk) Ask(ctx context.Context, name string, request any, part func(string, json.RawMessage)) (json.RawMessage, error) {
	raw, ok := request.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(request); err != nil {
			return nil, err
		}
	}
	r, err := wire.ParseRequest(name, raw)
	if err != nil {
		return nil, refuse(400, "%v", err)
	}
	if err := d.Who.Need(needs(r)); err != nil {
		return nil, err
	}
	reply, err := d.answer(ctx, r, part)
	if err != nil || reply == nil {
		return nil, err
	}
	return json.Marshal(reply)
}

func (d *Desk) answer(ctx context.Context, r wire.Request, part func(string, json.RawMessage)) (any, error) {
	b, user := d.Broker, d.Who.User
	switch r := r.(type) {
	case wire.Hello:
		return d.hello(ctx)
	case wire.Runs:
		workers, err := b.Workers(ctx)
		if err != nil {
			return nil, err
		}
		return d.runs(ctx, workers, r.Run)
	case wire.Start:
		if r.Priority < wire.Usual && !d.Who.May(auth.Admin) {
			return nil, &auth.Denied{Forbidden: true, Reason: "A priority above normal takes a token of scope admin; ask for normal or last."}
		}
		id, err := b.Submit(ctx, user, r)
		return wire.RunName{Run: id}, err
	case wire.Resume:
		return wire.RunName(r), b.Resume(ctx, user, r.Run)
	case wire.Steer:
		if r.Do == "pause" || r.Do == "continue" || r.Do == "stop" {
			return nil, b.Want(ctx, user, r.Run, r.Do)
		}
		return nil, d.steer(ctx, r)
	case wire.Answer:
		if r.Run == "" {
			return nil, refuse(400, "This server lets only runs answer that are going on.")
		}
		return d.worker(ctx, r.Run, r, part)
	case wire.Replay:
		if _, _, err := b.get(ctx, user, r.Run); err != nil {
			return nil, err
		}
		return b.replay(ctx, user, r.Run, r.Seq)
	case wire.Note:
		_, err := b.update(ctx, user, r.Run, func(rec *Record) error {
			if len(r.Text) > 10000 {
				return refuse(413, "A note of %d bytes; up to 10000 are kept.", len(r.Text))
			}
			rec.Note = r.Text
			return nil
		})
		return nil, err
	case wire.Carry:
		return b.carry(ctx, user, r.Run, part)
	case wire.Delete:
		if sha, ok := strings.CutPrefix(r.Path, "files/"); ok && hashShape.MatchString(sha) {
			if err := b.forget(ctx, user, sha); err != nil {
				return nil, err
			}
			return d.storage(ctx)
		}
		id, ok := strings.CutPrefix(r.Path, "runs/")
		if !ok {
			return nil, refuse(400, "%.100q: runs/<id> and files/<sha256> can be deleted here.", r.Path)
		}
		if err := b.Delete(ctx, user, id); err != nil {
			return nil, err
		}
		return d.storage(ctx)
	}
	return nil, refuse(501, "This server does not answer %s; it runs jobs.", r.Name())
}

// worker asks whoever works on a run of this user.
func (d *Desk) worker(ctx context.Context, id string, r wire.Request, part func(string, json.RawMessage)) (any, error) {
	rec, _, err := d.Broker.get(ctx, d.Who.User, id)
	if err != nil {
		return nil, err
	}
	if over(rec.Status) {
		return nil, refuse(409, "Run %s is %s; nobody works on it. `hone pull` brings it to your machine.", id, rec.Status)
	}
	if rec.Released {
		return nil, refuse(409, "Run %s is paused and has given its device back; let it go on or do a step, and ask again.", id)
	}
	raw, err := d.Broker.ask(ctx, d.Who.User, id, r, part)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	return raw, nil
}

// runs lists the runs of the desk's user, or one of them.
func (d *Desk) runs(ctx context.Context, workers []Presence, only string) (wire.RunList, error) {
	at := under(workers)
	var list newest
	take := func(r *Record) error {
		r.hear(at)
		x := r.Wire()
		x.Priority = wire.PriorityName(r.Priority)
		return list.add(x)
	}
	if only == "" {
		if err := d.Broker.each(ctx, d.Who.User, take); err != nil {
			return wire.RunList{}, err
		}
		return list.fitting(), nil
	}
	r, err := d.Broker.Record(ctx, d.Who.User, only)
	if err == nil {
		err = take(r)
	}
	return list.fitting(), err
}

// bytesOfRuns is how much of a frame a list of runs may take. A client drops the link whose frame is too long, comes back and asks
// again, for ever.
const bytesOfRuns = wire.MaxFrame - 64<<10

// newest gathers the newest runs that have room in a frame.
type newest struct {
	runs  []sized
	bytes int
	more  int // that have none
}

type sized struct {
	wire.Run
	bytes int
}

func (l *newest) add(r wire.Run) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	l.runs = append(l.runs, sized{r, len(raw) + 1})
	if l.bytes += len(raw) + 1; l.bytes > 4*bytesOfRuns { // those that have no room now have none later
		l.cut()
	}
	return nil
}

// cut puts the newest first and drops those that have no room.
func (l *newest) cut() {
	slices.SortFunc(l.runs, func(x, y sized) int {
		if c := strings.Compare(y.Started, x.Started); c != 0 {
			return c
		}
		return strings.Compare(y.ID, x.ID)
	})
	l.bytes = 0
	l.runs = slices.DeleteFunc(l.runs, func(r sized) bool {
		if l.bytes+r.bytes > bytesOfRuns {
			l.more++
			return true
		}
		l.bytes += r.bytes
		return false
	})
}

func (l *newest) fitting() wire.RunList {
	l.cut()
	list := wire.RunList{Runs: []wire.Run{}, More: l.more}
	for _, r := range l.runs {
		list.Runs = append(list.Runs, r.Run)
	}
	return list
}

func (d *Desk) hello(ctx context.Context) (wire.Host, error) {
	workers, err := d.Broker.Workers(ctx)
	if err != nil {
		return wire.Host{}, err
	}
	runs, err := d.runs(ctx, workers, "")
	if err != nil {
		return wire.Host{}, err
	}
	storage, err := d.storage(ctx)
	if err != nil {
		return wire.Host{}, err
	}
	h := wire.Host{Version: run.Version, Kind: "server", Runs: runs.Runs, More: runs.More, Storage: storage, Models: []wire.Model{}, Data: []wire.Data{}}
	var devices []string
	busy := 0
	for _, w := range workers {
		h.Workers = append(h.Workers, wire.Worker{Device: w.Device, Memory: w.Memory, Busy: w.Run != ""})
		if !slices.Contains(devices, w.Device) {
			devices = append(devices, w.Device)
		}
		if w.Run != "" {
			busy++
		}
	}
	// How many runs of others wait is no secret, and who they are is not told. Those that workers have are in the queue as well.
	if queue, err := d.Broker.js.Stream(ctx, "JOBS"); err == nil {
		h.Queue = max(0, int(queue.CachedInfo().State.Msgs)-busy)
	}
	switch len(workers) {
	case 0:
		h.Device = "no worker"
		h.Reason = "No worker is there: runs wait in the queue until `hone worker` or `hone serve --workers 1` brings one."
	default:
		h.Device = fmt.Sprintf("%s (workers: %d, of them busy: %d)", strings.Join(devices, ", "), len(workers), busy)
	}
	return h, nil
}

// storage is how much of the server the user has.
func (d *Desk) storage(ctx context.Context) (wire.Storage, error) {
	used, err := d.Broker.Used(ctx, d.Who.User)
	return wire.Storage{Used: used, Quota: d.Quota, Persistent: true}, err
}

// Workers lists those that are there.
func (b *Broker) Workers(ctx context.Context) ([]Presence, error) {
	w, err := b.workers.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer w.Stop()
	var all []Presence
	for {
		select {
		case e := <-w.Updates():
			if e == nil {
				return all, nil
			}
			var p Presence
			if err := json.Unmarshal(e.Value(), &p); err != nil {
				return nil, err
			}
			all = append(all, p)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Events calls f with everything that happens in the user's runs after ready was called, in the order of each run, until ctx ends.
func (d *Desk) Events(ctx context.Context, ready func(), f func(raw []byte)) error {
	// From the next one on, by its number: "new" would mean another moment whenever an engine elsewhere has the consumer made anew.
	c := jetstream.OrderedConsumerConfig{FilterSubjects: []string{"events." + d.Who.User + ".>"}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy}
	s, err := d.Broker.js.Stream(ctx, "EVENTS")
	if err != nil {
		return fmt.Errorf("jobs: listening to events: %w", err)
	}
	c.OptStartSeq = s.CachedInfo().State.LastSeq + 1
	consumer, leave, err := d.Broker.ordered(ctx, "EVENTS", c)
	if err != nil {
		return fmt.Errorf("jobs: listening to events: %w", err)
	}
	defer leave()
	going, err := consumer.Consume(func(m jetstream.Msg) { f(m.Data()) })
	if err != nil {
		return fmt.Errorf("jobs: listening to events: %w", err)
	}
	ready()
	<-ctx.Done()
	going.Stop()
	<-going.Closed()
	return nil
}

// Status is the HTTP status that says the same as an error of a desk or of files.
func Status(err error) int {
	var r *Refusal
	var n *NotFound
	var d *auth.Denied
	switch {
	case err == nil:
		return 200
	case errors.As(err, &r):
		return r.Status
	case errors.As(err, &n):
		return 404
	case errors.As(err, &d), errors.Is(err, auth.ErrTooMany):
		return auth.Status(err)
	}
	return 500
}
