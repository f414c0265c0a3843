package host

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"hone/core/checkpoint"
	"hone/core/link"
	"hone/core/wire"
)

// awayFile says in a run's directory where the run is, if it was ever elsewhere.
const awayFile = "away.json"

// away is what awayFile holds.
type away struct {
	Server string `json:"server"`
	There  string `json:"there"`            // one of the words below
	Key    string `json:"key"`              // of the request with which it began there: asking again begins nothing more
	Step   int    `json:"step"`             // of the State that it left with
	Paused bool   `json:"paused,omitempty"` // its user wants it so, see pauses
	Given  bool   `json:"given,omitempty"`  // its user has given up what the server has of it
	From   uint64 `json:"from"`             // the number here of the last event before it left
	Seen   uint64 `json:"seen"`             // the number there of the last event that was told before it left
}

// Where a run stands that was elsewhere.
const (
	leaving = "leaving" // it may have begun there
	there   = "there"
	home    = "home"
)

// far is a run that is away: its events are told here as if it were not, and are in the journal here.
type far struct {
	h    *Host
	id   string
	dir  string
	end  context.CancelFunc
	ctx  context.Context
	over chan struct{} // closed when the run has ended there

	homing sync.Mutex // one brings it home at a time

	mu      sync.Mutex
	away    away
	journal *journal
	where   standing
	seen    uint64 // the number there of the last event that was told
	client  *link.Client
	linked  wire.Linked
	ended   bool
}

// goAway makes a run one that is away, and follows it.
func (h *Host) goAway(id string, a away) (*far, error) {
	dir := filepath.Join(h.dir, runsDir, filepath.FromSlash(id))
	j, err := openJournal(dir, id, a.From)
	if err != nil {
		return nil, err
	}
	f := &far{h: h, id: id, dir: dir, away: a, journal: j, over: make(chan struct{}), seen: max(a.Seen, j.there)}
	f.linked = wire.Linked{On: a.Server, Reason: "not yet"}
	f.where = standingIn(dir)
	f.ctx, f.end = context.WithCancel(context.Background())
	h.mu.Lock()
	if h.closed || h.far[id] != nil {
		err = fmt.Errorf("the run %s is on its way already", id)
	} else {
		h.far[id] = f
	}
	h.mu.Unlock()
	if err != nil {
		j.close()
		return nil, err
	}
	if err = replaceFile(filepath.Join(dir, awayFile), a); err != nil {
		h.leave(f)
		return nil, err
	}
	return f, nil
}

// rejoin follows the runs again that were away when the workspace was last closed.
func (h *Host) rejoin() {
	for _, path := range checkpoint.Glob(filepath.Join(h.dir, runsDir), "*/v*/"+awayFile) {
		var a away
		if !readFile(path, &a) || a.There == home {
			continue
		}
		f, err := h.goAway(h.runID(filepath.Dir(path)), a)
		if err != nil {
			continue // it is being followed
		}
		go f.join()
	}
}

// join finds the server of a run that is away, and follows it there.
func (f *far) join() {
	if f.dial(f.ctx) != nil {
		return // what it says was told
	}
	f.land()
}

// land lets a run arrive of which it is not known whether it has, and follows it. While the server fails, it is asked on.
func (f *far) land() {
	f.mu.Lock()
	where := f.away.There
	f.mu.Unlock()
	for where == leaving {
		err := f.h.arrive(f.ctx, f, func(string, any) {})
		if err == nil {
			f.say(wire.Linked{On: f.away.Server, Connected: true})
			break
		}
		unsure := errors.Is(err, errUnsure)
		if f.say(wire.Linked{On: f.away.Server, Reason: err.Error(), Denied: !unsure, Unsure: unsure}); !unsure {
			return
		}
		select {
		case <-f.ctx.Done():
			return
		case <-time.After(cmp.Or(f.h.options.Reach, reachTime)):
		}
	}
	f.follow()
}

// dial makes the link of a run, and waits until there is one. While the server is away, it is tried on until ctx ends.
func (f *far) dial(ctx context.Context) error {
	c, err := f.h.link(ctx, wire.Server{URL: f.away.Server}, f.heard, func(s link.State) {
		l := wire.Linked{On: f.away.Server, Connected: s.Connected, Denied: s.Denied}
		if s.Err != nil {
			l.Reason = s.Err.Error()
		}
		f.say(l)
		if s.Connected {
			go f.bringIfDone()
		}
	})
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil { // it was given up meanwhile
		go c.Close()
		return f.ctx.Err()
	}
	if f.client != nil {
		go f.client.Close()
	}
	f.client = c
	return nil
}

// follow tells what happens there, from where it was left.
func (f *far) follow() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.client != nil {
		f.client.Follow(f.id, f.seen+1)
		go f.bringIfDone()
	}
}

// bringIfDone brings the result of a run that ended there before and has not come home: the download may have been cut short. The server
// is asked first, since the run may have been resumed there.
func (f *far) bringIfDone() {
	f.mu.Lock()
	client, done := f.client, f.where.Status == statusDone
	f.mu.Unlock()
	if client == nil || !done {
		return
	}
	if r, err := wire.AskRun(f.ctx, client, f.id); err == nil && r.Status == statusDone {
		f.h.bringResult(f)
	}
}

// recount forgets which events of the server were told here when the server has them no more: where the run was deleted since it was
// there, its events are numbered from 1 again.
func (f *far) recount(ctx context.Context) error {
	f.mu.Lock()
	seen, client := f.seen, f.client
	f.mu.Unlock()
	if seen == 0 {
		return nil
	}
	told, err := wire.Ask[wire.Told](ctx, client, wire.Replay{Run: f.id, Seq: seen}, nil)
	if wire.StatusOf(err) != http.StatusNotFound && (err != nil || len(told.Events) > 0) {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen, f.away.Seen = 0, 0
	return replaceFile(filepath.Join(f.dir, awayFile), f.away)
}

// stored asks whether the server has a State of a run: one that waited there for a worker may have none.
func (f *far) stored(ctx context.Context, client *link.Client) (bool, error) {
	r, err := wire.AskRun(ctx, client, f.id)
	if wire.StatusOf(err) == http.StatusNotFound {
		return false, nil
	}
	return r.Bytes > 0, err
}

// say tells how the link is; that is no event of the run.
func (f *far) say(l wire.Linked) {
	f.mu.Lock()
	same := l == f.linked
	f.linked = l
	f.mu.Unlock()
	if !same && f.ctx.Err() == nil {
		data, _ := json.Marshal(l) // plain values
		f.h.tell(wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: f.id, Name: wire.Name(l), Data: data})
	}
}

// heard takes an event of the server.
func (f *far) heard(e wire.Frame) {
	if e.Run != f.id {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Seq != f.seen+1 || f.ctx.Err() != nil { // Follow brings what is before it
		return
	}
	f.seen = e.Seq
	v, err := wire.ParseEvent(e.Name, e.Data)
	if err != nil {
		return // of another release; what follows is heard
	}
	if step, ok := stepOf(v); ok && step <= f.away.Step {
		return // it was told here before the run left
	}
	f.tell(v, e.Seq)
	switch v.(type) {
	case wire.Paused:
		f.pauses(true)
	case wire.Resumed:
		f.pauses(false)
	case wire.Started, wire.Queued:
		if f.ended { // it was resumed there
			f.ended, f.over = false, make(chan struct{})
		}
	case wire.Finished, wire.Failed:
		if !f.ended {
			f.ended = true
			close(f.over)
		}
		if f.where.Status == statusDone {
			go f.h.bringResult(f)
		}
	}
}

// pauses remembers whether the user of a run wants it paused, which is not told of one that waits for a worker. The caller holds the lock.
func (f *far) pauses(paused bool) {
	if f.away.Paused != paused {
		f.away.Paused = paused
		_ = replaceFile(filepath.Join(f.dir, awayFile), f.away) // the next such word writes it
	}
}

// steer asks the server of a run to change it.
func (f *far) steer(ctx context.Context, r wire.Steer) error {
	if r.Do == "step" && r.Key == "" { // the link asks again if it breaks before the reply, and one step is to be done
		r.Key = rand.Text()
	}
	_, err := f.ask(ctx, r, nil)
	if err == nil && (r.Do == "pause" || r.Do == "continue") {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.pauses(r.Do == "pause")
	}
	return err
}

// resume asks the server of a run to go on with it, which ends a pause as well.
func (f *far) resume(ctx context.Context, r wire.Resume) error {
	_, err := f.ask(ctx, r, nil)
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.pauses(false)
	}
	return err
}

// tell writes an event down and passes it on. The caller holds the lock.
func (f *far) tell(e wire.Event, there uint64) {
	frame, err := f.journal.add(e, there)
	if err != nil {
		data, _ := json.Marshal(e)
		frame = wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: f.id, Name: wire.Name(e), Data: data}
	}
	if f.where.take(e) {
		_ = replaceFile(filepath.Join(f.dir, standingFile), f.where) // it can be found out again
	}
	f.h.tell(frame)
}

// stepOf is the step of an event that a step has once.
func stepOf(e wire.Event) (int, bool) {
	switch e := e.(type) {
	case wire.Stepped:
		return e.Step, true
	case wire.Progress:
		return e.Step, true
	case wire.Evaluated:
		return e.Step, true
	case wire.Saved:
		return e.Step, true
	}
	return 0, false
}

// bringResult brings a run home that has ended there with its last step.
func (h *Host) bringResult(f *far) {
	if _, err := h.comeHome(f.ctx, f, false, func(string, any) {}); err != nil && f.ctx.Err() == nil {
		f.mu.Lock()
		f.tell(wire.Warning{Text: fmt.Sprintf("The run has ended at %s, and its result could not be brought here yet: %v", f.away.Server, err)}, 0)
		f.mu.Unlock()
	}
}

// leave stops following a run.
func (h *Host) leave(f *far) {
	f.end()
	h.mu.Lock()
	if h.far[f.id] == f {
		delete(h.far, f.id)
	}
	h.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.client != nil {
		go f.client.Close() // it may be this run's own link that tells the event for which it is left
		f.client = nil
	}
	f.journal.close()
}

// awayRun is a run that is away, or nil.
func (h *Host) awayRun(id string) *far {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.far[id]
}

// ask asks the server of a run.
func (f *far) ask(ctx context.Context, r wire.Request, part func(string, json.RawMessage)) (json.RawMessage, error) {
	f.mu.Lock()
	c, linked := f.client, f.linked
	f.mu.Unlock()
	if c == nil || !linked.Connected {
		return nil, fmt.Errorf("the run is at %s, which is not reached now (%s)", f.away.Server, linked.Reason)
	}
	return c.Ask(ctx, r.Name(), r, part)
}

// errHome says that a run is not elsewhere.
var errHome = errors.New("the run is here")

// errUnsure says that a run has left and that its server cannot say whether it has it. Until it can, the run goes on nowhere else but where
// its user takes it.
var errUnsure = errors.New("the server fails, and does not say whether it has the run; it is asked on, and meanwhile the run waits")
