// Package jobs runs training for users who are elsewhere. Jobs wait in a queue, workers take one each, and what a run needs to
// go on lies where every worker finds it, so that a worker may die at any moment and another one goes on.
//
// The engine is NATS JetStream, embedded in the server or a cluster of its own:
//
//	stream JOBS     jobs.<priority>.<run>   a work queue with one message for a run that waits or is worked on
//	stream EVENTS   events.<user>.<run>     what happened, one message an event; the run's only journal
//	bucket runs     <user>.<run>            the Record of a run; whoever works on it writes it, fenced by its attempt
//	bucket starts   <user>.<key>            which run a request has begun, by the hash of its key
//	bucket wanted   <user>.<run>            what its user wants of it: pause, stop
//	bucket checkpoints <user>.<run>.<step>  the files of a checkpoint
//	bucket owned    <user>.<sha256>         which files a user has sent
//	bucket workers  <worker>                who is there
//	objects files   <sha256>                models and data, by content
//	objects states  <user>.<run>.<sha256>   the files of a run itself: its recipe, its log
//	objects states  <user>.<run>.<step>.<sha256>  those of its checkpoints
//
// <run> in a subject or key is the run's id in base64, since ids hold names of models.
package jobs

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"hone/core/filelock"
)

// Options say where jobs are kept.
type Options struct {
	DataDir string        // of the embedded engine
	NATS    string        // address of an external one; then DataDir is not used
	Lease   time.Duration // how long a worker may be silent before another takes its job; 0: 30 seconds
	Joins   bool          // the lease is the one that the engine has from a server; Lease is for an engine that has seen none yet
	Log     *slog.Logger

	Unfinished int // how many runs of one user may wait, go on or be paused; 0: DefaultUnfinished

	// UnfinishedOf, if it is set, says it of single users, 0 for what holds for all.
	UnfinishedOf func(user string) int

	// Lost, if it is set, is called once if the connection to the engine ends for good although nobody has closed it. What it is
	// called with is an ErrLost. Nothing works any more then: the process had better end.
	Lost func(error)
}

// ErrLost says that the connection to the engine has ended and is not tried again, as after a breach of its protocol or a token that
// it does not take any more.
var ErrLost = errors.New("the connection to the job engine has ended for good")

// Broker is the connection to the engine, and the engine itself where it is embedded.
type Broker struct {
	Address string // for workers

	log      *slog.Logger
	lease    atomic.Int64 // nanoseconds, as the engine has it
	embedded *server.Server
	lock     *filelock.Lock
	nc       *nats.Conn
	js       jetstream.JetStream
	up       atomic.Bool // there was a connection, and nobody has closed it

	jobs, events        jetstream.Stream
	runs, wanted, owned jetstream.KeyValue
	checkpoints, starts jetstream.KeyValue
	workers             jetstream.KeyValue
	files, states       jetstream.ObjectStore
	consumers           [priorities]jetstream.Consumer

	deleting sync.Mutex // one run at a time
	starting locks      // by key, by run, and by user
	blobs    reliance

	unfinished   int // see Options
	unfinishedOf func(user string) int
	spool        string                  // see Files; "" where no uploads come
	quota        func(user string) int64 // see Files; nil where no uploads come
	room         func(more int64) error  // see Files; nil where no uploads come
}

const (
	priorities   = 3
	defaultLease = 30 * time.Second
	maxPayload   = 8 << 20
	dedupe       = 10 * time.Minute // an event that is sent twice within it is stored once
	workerTTL    = 45 * time.Second
	startTTL     = 30 * 24 * time.Hour // a page that was closed on its way asks again when it is opened
)

// Open starts or reaches the engine and makes what it lacks.
func Open(ctx context.Context, o Options) (*Broker, error) {
	b := &Broker{log: o.Log, unfinished: cmp.Or(o.Unfinished, DefaultUnfinished), unfinishedOf: o.UnfinishedOf}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.lease.Store(int64(defaultLease))
	if o.Lease > 0 {
		b.lease.Store(int64(o.Lease))
	}
	err := b.connect(o)
	if err == nil {
		err = b.prepare(ctx, o.Joins)
	}
	if now := b.Lease(); err == nil && o.Lease > 0 && now != o.Lease {
		b.log.Warn("the lease that was asked for does not hold: it is the server's", "asked", o.Lease, "lease", now)
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (b *Broker) connect(o Options) error {
	settings := []nats.Option{nats.Name("hone"), nats.MaxReconnects(-1), nats.CustomReconnectDelay(reconnectDelay), nats.RetryOnFailedConnect(false),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				b.log.Warn("the connection to the job engine is gone; it is tried again", "error", err)
			}
		}),
		nats.ClosedHandler(func(nc *nats.Conn) {
			if !b.up.Swap(false) {
				return
			}
			err := fmt.Errorf("%w: %w", ErrLost, cmp.Or(nc.LastError(), nats.ErrConnectionClosed))
			b.log.Error("nothing can be done here any more", "error", err)
			if o.Lost != nil {
				o.Lost(err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { b.log.Info("the job engine is reached again") })}
	b.Address = o.NATS
	if o.NATS == "" {
		if err := b.embed(o.DataDir); err != nil {
			return err
		}
		settings = append(settings, nats.InProcessServer(b.embedded))
	}
	var err error
	if b.nc, err = nats.Connect(b.Address, settings...); err != nil {
		return fmt.Errorf("jobs: reaching the engine at %s: %w", withoutSecret(b.Address), err)
	}
	b.up.Store(true)
	b.js, err = jetstream.New(b.nc)
	return err
}

// reconnectDelay is how long to wait before the engine is dialled for the n-th time since it was lost: at first hardly at all, since a
// network that breaks often leaves little time between two breaks; then longer and longer, and never all clients at once.
func reconnectDelay(n int) time.Duration {
	wait := min(10*time.Millisecond<<min(n-1, 8), time.Second)
	return wait + time.Duration(mathrand.Int64N(int64(wait)))
}

// withoutSecret is an address as it may be shown.
func withoutSecret(address string) string {
	_, after, found := cutLast(address, '@')
	if !found {
		return address
	}
	return "nats://…@" + after
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == sep {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// door is how the workers of this machine get in; it outlives the process, so that they find a server that was started again.
type door struct {
	Port  int    `json:"port"`
	Token string `json:"token"`
}

// embed starts the engine inside this process. Other processes of this machine reach it on loopback with the door's token.
func (b *Broker) embed(dir string) error {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("jobs: the data directory: %w", err)
	}
	if b.lock, err = filelock.Try(filepath.Join(dir, "server.lock")); err != nil {
		var held *filelock.Held
		if errors.As(err, &held) {
			return fmt.Errorf("jobs: %s is at work in %s; stop it, or take another --data_dir", held.Who(), dir)
		}
		return err
	}
	path := filepath.Join(dir, "door.json")
	var d door
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("jobs: %s: %w; it may be removed", path, err)
	}
	if d.Token == "" {
		var secret [32]byte
		rand.Read(secret[:])
		d.Token = hex.EncodeToString(secret[:])
	}
	d.Port = free(d.Port)
	if raw, err = json.Marshal(d); err != nil {
		return err
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	b.embedded, err = server.NewServer(&server.Options{ServerName: "hone", Host: "127.0.0.1", Port: d.Port, Authorization: d.Token, NoSigs: true,
		JetStream: true, StoreDir: filepath.Join(dir, "engine"), MaxPayload: maxPayload, SyncInterval: time.Second, DisableJetStreamBanner: true})
	if err != nil {
		return fmt.Errorf("jobs: the engine: %w", err)
	}
	b.embedded.SetLoggerV2(engineLog{b.log}, false, false, false)
	b.embedded.Start()
	if !b.embedded.ReadyForConnections(30 * time.Second) {
		return fmt.Errorf("jobs: the engine did not start within 30 seconds; its files are in %s", dir)
	}
	b.Address = fmt.Sprintf("nats://%s@127.0.0.1:%d", d.Token, d.Port)
	return nil
}

// free is the port, or another one where somebody has it.
func free(port int) int {
	for _, p := range []int{port, 0} {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			continue
		}
		defer l.Close()
		return l.Addr().(*net.TCPAddr).Port
	}
	return -1
}

// prepare makes streams and buckets, or takes those that are there.
func (b *Broker) prepare(ctx context.Context, joins bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	var err error
	b.jobs, err = b.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "JOBS", Subjects: []string{"jobs.>"}, Retention: jetstream.WorkQueuePolicy,
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true})
	keep(err)
	b.events, err = b.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"events.>"}, Duplicates: dedupe, AllowDirect: true})
	keep(err)
	for _, kv := range []struct {
		to   *jetstream.KeyValue
		name string
		ttl  time.Duration
	}{{&b.runs, "runs", 0}, {&b.wanted, "wanted", 0}, {&b.checkpoints, "checkpoints", 0}, {&b.owned, "owned", 0}, {&b.workers, "workers", workerTTL}, {&b.starts, "starts", startTTL}} {
		*kv.to, err = b.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: kv.name, History: 1, TTL: kv.ttl})
		keep(err)
	}
	b.files, err = b.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: "files"})
	keep(err)
	b.states, err = b.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: "states"})
	keep(err)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("jobs: preparing the engine: %w", err)
	}
	for p := range b.consumers {
		if joins {
			b.consumers[p], err = b.jobs.Consumer(ctx, consumerName(p))
			if err == nil {
				b.lease.Store(int64(b.consumers[p].CachedInfo().Config.AckWait))
				continue
			}
		}
		if !joins || errors.Is(err, jetstream.ErrConsumerNotFound) {
			b.consumers[p], err = b.jobs.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: consumerName(p), FilterSubject: fmt.Sprintf("jobs.%d.>", p),
				AckPolicy: jetstream.AckExplicitPolicy, AckWait: b.Lease(), MaxDeliver: -1, MaxAckPending: -1})
		}
		if err != nil {
			return fmt.Errorf("jobs: preparing the engine: %w", err)
		}
	}
	return nil
}

// consumerName is that of who takes the messages of a priority, which all workers share.
func consumerName(priority int) string { return fmt.Sprintf("workers-%d", priority) }

// Lease is how long a worker may be silent before another takes its job.
func (b *Broker) Lease() time.Duration { return time.Duration(b.lease.Load()) }

// hearLease asks the engine for the lease: a server that is started again may have brought another one.
func (b *Broker) hearLease(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, b.Lease()/8) // the old one holds until it answers, and may be short
	defer cancel()
	if c, err := b.js.Consumer(ctx, "JOBS", consumerName(0)); err == nil {
		b.lease.Store(int64(c.CachedInfo().Config.AckWait))
	}
}

// Ready reports whether the engine answers.
func (b *Broker) Ready() bool { return b.nc != nil && b.nc.IsConnected() }

// Close ends the connection and the embedded engine.
func (b *Broker) Close() {
	b.up.Store(false)
	if b.nc != nil {
		b.nc.Close()
	}
	if b.embedded != nil {
		b.embedded.Shutdown()
		b.embedded.WaitForShutdown()
	}
	if b.lock != nil {
		b.lock.Release()
	}
}

// engineLog hands on what the engine says that matters.
type engineLog struct{ log *slog.Logger }

func (engineLog) Noticef(string, ...any)           {}
func (l engineLog) Warnf(format string, v ...any)  { l.log.Warn(fmt.Sprintf(format, v...)) }
func (l engineLog) Errorf(format string, v ...any) { l.log.Error(fmt.Sprintf(format, v...)) }
func (l engineLog) Fatalf(format string, v ...any) { l.log.Error(fmt.Sprintf(format, v...)) }
func (engineLog) Debugf(string, ...any)            {}
func (engineLog) Tracef(string, ...any)            {}
