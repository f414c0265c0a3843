package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"hone/core/device"
	"hone/core/wire"
)

// Worker does one job after the other on one device.
type Worker struct {
	Broker *Broker
	Device device.Device
	Dir    string        // its own: what it downloads, and runs under way
	Every  time.Duration // a State is stored so often, beside those that the recipe asks for; 0: a minute
	Tries  int           // attempts in a row that store no State before a run is given up; 0: 5
	Log    *slog.Logger

	Patience time.Duration // how long a paused run keeps the device, see release; 0: 5 minutes
	Keep     int64         // bytes of fetched files that stay for other runs; 0: a quarter of the disk, at most 100 GiB

	name   string
	newest atomic.Int64 // step of the run that is being worked on; 0 before its first
}

const (
	defaultEvery = time.Minute
	defaultTries = 5
	idlePoll     = 200 * time.Millisecond
)

// Presence is what others see of a worker.
type Presence struct {
	Name   string    `json:"name"`
	Device string    `json:"device"`
	Memory int64     `json:"memory"` // bytes that a run may take there; 0 where that is unknown
	Run    string    `json:"run"`    // <user>/<id>; "" when it waits
	Step   int       `json:"step"`   // of the run, a few seconds ago
	Since  time.Time `json:"since"`
}

// Run takes jobs until ctx ends; then the one under way is saved and goes back into the queue. Where the device is lost, the run under
// way goes back as well, and the error wraps device.ErrLost: the worker can do nothing more with that device.
func (w *Worker) Run(ctx context.Context) error {
	if w.Every <= 0 {
		w.Every = defaultEvery
	}
	if w.Tries <= 0 {
		w.Tries = defaultTries
	}
	if w.Patience <= 0 {
		w.Patience = defaultPatience
	}
	if w.Log == nil {
		w.Log = slog.New(slog.DiscardHandler)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	w.name = nuid.Next()
	w.Log = w.Log.With("worker", host+"/"+strconv.Itoa(os.Getpid()))
	if err := os.MkdirAll(w.Dir, 0o700); err != nil {
		return fmt.Errorf("jobs: the worker's directory: %w", err)
	}
	if err := w.tidy(); err != nil {
		w.Log.Warn("what an earlier worker left stays on the disk", "error", err)
	}
	if err := w.makeRoom(nil); err != nil {
		w.Log.Warn("what this worker has fetched stays on its disk", "error", err)
	}
	presence := Presence{Name: presenceName(), Device: w.Device.Caps().Name, Memory: w.Device.Caps().MemoryBudget, Since: time.Now().UTC()}
	w.present(ctx, presence)
	shown := time.Now()
	var lost error
	for ctx.Err() == nil && lost == nil {
		if time.Since(shown) > workerTTL/3 {
			w.present(ctx, presence)
			shown = time.Now()
		}
		m, err := w.next(ctx)
		if err != nil && ctx.Err() == nil {
			w.Log.Warn("asking for a job failed", "error", err)
		}
		if m == nil {
			select {
			case <-ctx.Done():
			case <-time.After(idlePoll):
			}
			continue
		}
		lost = w.work(ctx, m, presence)
		w.present(ctx, presence)
		shown = time.Now()
	}
	// What is left of ctx is nothing; the entry goes by itself if this fails.
	gone, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	w.Broker.workers.Purge(gone, w.name)
	return lost
}

func (w *Worker) present(ctx context.Context, p Presence) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	raw, err := json.Marshal(p)
	if err == nil {
		_, err = w.Broker.workers.Put(ctx, w.name, raw)
	}
	if err != nil && ctx.Err() == nil {
		w.Log.Debug("telling that this worker is there failed", "error", err)
	}
}

// next takes the first message of the most urgent priority that has one.
func (w *Worker) next(ctx context.Context) (jetstream.Msg, error) {
	for _, c := range w.Broker.consumers {
		batch, err := c.FetchNoWait(1)
		if err != nil {
			return nil, err
		}
		for m := range batch.Messages() {
			return m, nil
		}
		if err := batch.Error(); err != nil && !errors.Is(err, jetstream.ErrNoMessages) {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, nil
}

// work does a job, or finds out that there is nothing to do. Its error says that the device was lost.
func (w *Worker) work(ctx context.Context, m jetstream.Msg, p Presence) (lost error) {
	var t ticket
	if err := json.Unmarshal(m.Data(), &t); err != nil {
		w.Log.Error("a message in the queue is no job; it is thrown away", "error", err)
		m.Term()
		return nil
	}
	log := w.Log.With("user", t.User, "run", t.ID)
	p.Run, p.Since = t.User+"/"+t.ID, time.Now().UTC()
	w.newest.Store(0)
	w.present(ctx, p)
	beat := w.heartbeat(m, p)
	defer beat()
	var a *attempt
	stray, err := w.Broker.strays(ctx, t, m.Subject())
	if err == nil && !stray {
		a, err = w.begin(ctx, t)
	}
	if err == nil && a == nil { // it is over already, or has another message
		err = m.DoubleAck(ctx)
	}
	if err != nil {
		log.Warn("a job could not be begun", "error", err)
		var gone *NotFound
		if errors.As(err, &gone) {
			m.Term()
		} else {
			m.NakWithDelay(2 * time.Second)
		}
		return nil
	}
	if a == nil {
		return nil
	}
	log.Info("begins", "attempt", a.record.Attempt, "step", a.record.Step)
	err = a.run(ctx, log)
	switch {
	case errors.Is(err, errFenced): // the message is not this worker's any more either
		log.Warn("another worker has the run now")
	case errors.Is(err, errRequeue):
		log.Info("goes back into the queue", "reason", a.reason)
		w.giveBack(ctx, m, a)
	case err != nil:
		log.Warn("the end of a run could not be written down; it is tried again", "error", err)
		m.NakWithDelay(2 * time.Second)
	default:
		log.Info("ends", "status", a.status)
		ack, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := m.DoubleAck(ack); err != nil {
			log.Warn("the queue did not hear that a run is over; whoever takes it next will see it", "error", err)
		}
		if a.status == Paused {
			if err := w.Broker.attend(ack, t.User, t.ID); err != nil {
				log.Warn("what the user of a paused run wants is not known yet; the server will see to it", "error", err)
			}
		}
	}
	return a.lost
}

// giveBack puts a run back into the queue. A new message takes the place of the old one: an engine that is started again would
// remember the old one as being worked on, until its lease runs out. If this is cut short, Sweep makes up for it.
func (w *Worker) giveBack(ctx context.Context, m jetstream.Msg, a *attempt) {
	if a.delay > 0 {
		m.NakWithDelay(a.delay)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := m.DoubleAck(ctx)
	if err == nil {
		err = w.Broker.enqueue(ctx, a.record)
	}
	if err != nil && !errors.Is(err, errQueued) {
		w.Log.Warn("a run is not back in the queue yet; the server will see to it", "run", a.record.ID, "error", err)
	}
}

// heartbeat tells the queue that the job is being worked on until it is called.
func (w *Worker) heartbeat(m jetstream.Msg, p Presence) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Broker.hearLease(ctx)
		lease := w.Broker.Lease()
		tick := time.NewTicker(lease / 4)
		defer tick.Stop()
		shown := time.Now()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := m.InProgress(); err != nil {
					w.Log.Warn("a heartbeat failed", "error", err)
				}
				w.Broker.hearLease(ctx)
				if now := w.Broker.Lease(); now != lease {
					lease = now
					tick.Reset(lease / 4)
				}
				step := int(w.newest.Load())
				if since := time.Since(shown); since > workerTTL/3 || since > workerTTL/9 && step > p.Step {
					p.Step = step
					w.present(ctx, p)
					shown = time.Now()
				}
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// errRequeue says that the run goes on later, here or elsewhere.
var errRequeue = errors.New("back into the queue")

// begin takes the run: from now on its record and its journal are this attempt's. nil without an error is a run that is over.
func (w *Worker) begin(ctx context.Context, t ticket) (*attempt, error) {
	b := w.Broker
	before, _, err := b.get(ctx, t.User, t.ID)
	if err != nil {
		return nil, err
	}
	if over(before.Status) {
		return nil, b.tellEnding(ctx, t.User, t.ID)
	}
	if before.Released { // its worker died before the queue heard of it
		return nil, nil
	}
	wants, err := b.wants(ctx, t.User, t.ID)
	if err != nil {
		return nil, err
	}
	var lost string
	r, err := b.update(ctx, t.User, t.ID, func(r *Record) error {
		lost = ""
		switch {
		case over(r.Status), r.Released:
			return errUnchanged
		case wants == "stop":
			r.end(Stopped, "", wire.Finished{Step: r.Step, Stopped: "stopped"})
			return nil
		}
		if r.Status != Queued { // who had it before has not said that it ends
			lost = fmt.Sprintf("its worker (%s) is gone", r.Worker)
			r.past(lost)
		}
		if r.Fruitless >= w.Tries {
			r.end(Failed, fmt.Sprintf("given up after %d attempts without progress; the last one: %s", r.Fruitless, r.Reason), nil)
			return nil
		}
		r.Attempt++
		r.Fruitless++
		r.Status, r.Worker = Running, presenceName()
		return nil
	})
	if err != nil {
		return nil, err
	}
	if over(r.Status) || r.Released {
		return nil, b.tellEnding(ctx, t.User, t.ID)
	}
	if err := b.inEntries(ctx, r); err != nil {
		return nil, err
	}
	a := &attempt{w: w, b: b, record: r, key: keyOf(t.User, t.ID), dir: workDir(w.Dir, os.Getpid()), paused: wants == "pause", ahead: max(0, r.Until-r.Step), rate: r.Rate}
	a.names.Store(strings.NewReplacer(a.dir, "")) // the run may end before more is known
	// A run that was deleted and comes again counts its attempts anew, while the engine still remembers what the earlier ones wrote.
	by := fmt.Sprintf("%d-%s", r.Attempt, nuid.Next())
	if a.journal, err = b.openJournal(ctx, t.User, t.ID, by); err != nil {
		return nil, err
	}
	if lost != "" {
		if err := a.journal.event(ctx, wire.Queued{Step: r.Step, Reason: lost}); err != nil {
			return nil, err
		}
	}
	// What has been told is read last: a worker that is taken for dead may have gone on telling until this event was behind its own.
	a.told, err = b.toldOf(ctx, t.User, t.ID)
	return a, err
}

// presenceName is this process, for people.
func presenceName() string {
	host, _ := os.Hostname() // without a name, the number of the process has to do
	return fmt.Sprintf("%s, process %d", host, os.Getpid())
}

// past notes that an attempt has ended before the run.
func (r *Record) past(reason string) {
	r.Reason = reason
	r.Past = append(r.Past, Ended{r.Attempt, r.Worker, r.Step, reason, time.Now().UTC()})
	if len(r.Past) > 20 {
		r.Past = r.Past[len(r.Past)-20:]
	}
}
