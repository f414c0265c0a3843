// Package host keeps a workspace (models, data and runs in one directory) and a device, and does for it what the requests of
// package wire ask for. It serves the page in whose worker it lives and, over a transport, others: it knows neither browser nor
// network. What is special about its surroundings comes in as functions, see Options.
//
// The workspace:
//
//	models/<name>/…, models/<org>/<name>/…   models that were put there
//	data/<name>                              rows that were put there
//	bundle/…                                 what comes with the program, once it was needed
//	runs/<model>/v<N>-<date>-<time>/         run directories, as the command line makes them, with two files more:
//	    events.jsonl                         what was told of the run
//	    host.json                            where it stands, and the user's note
//	    away.json                            at which server it is, or was
//	exports/…                                files to take away
//	.host/                                   the lock, the run that is going on, measured speeds, servers with their tokens
package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"hone/core/device"
	"hone/core/filelock"
	"hone/core/recipe"
	"hone/core/run"
	"hone/core/wire"
)

// Options are what a host is made of.
type Options struct {
	Dir string // the workspace; it is made when missing

	// Device opens the device that a recipe asks for. The host closes it.
	Device func(ctx context.Context, r recipe.Recipe) (device.Device, error)
	// Reason says why the device is not WebGPU, with what to do about it; nil has nothing to say.
	Reason func() string
	// Storage tells the space for files; nil: only what is used is known.
	Storage func(ctx context.Context) wire.Storage

	Bundle    Bundle
	Server    Server
	SaveEvery time.Duration // see run.Control

	HTTP  *http.Client  // to servers where runs can go on; nil: the usual one
	Reach time.Duration // how long one may take to let somebody in, before a run waits for it; 0: 25 seconds
}

// Host is a workspace with its device. It is a wire.Link, too.
type Host struct {
	options Options
	dir     string
	lock    *filelock.Lock

	mu         sync.Mutex
	going      *going              // nil: no run
	unfinished string              // the run that GoOn is about to go on with
	far        map[string]*far     // runs that are elsewhere, by ID
	replayed   map[string]bookmark // where the last reply with events of a run ended, by ID
	leaving    map[string]bool     // runs that are about to be
	watchers   map[int]func(wire.Frame)
	last       int
	closed     bool

	device  room // the device, and what is loaded there
	plans   plans
	speeds  speeds
	servers sync.Mutex // .host/servers.json
	rows    run.Kept
}

// Open takes the workspace. It fails with *filelock.Held where another process, or tab, has it.
func Open(o Options) (*Host, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, hidden), 0o777); err != nil {
		return nil, fmt.Errorf("the workspace: %w", err)
	}
	lock, err := filelock.Try(filepath.Join(dir, hidden, "lock"))
	if err != nil {
		return nil, err
	}
	h := &Host{options: o, dir: dir, lock: lock, watchers: map[int]func(wire.Frame){}, far: map[string]*far{}, replayed: map[string]bookmark{}, leaving: map[string]bool{}}
	h.device.open, h.device.plans = o.Device, &h.plans
	h.unfinished = h.marked()
	h.speeds.path = filepath.Join(dir, hidden, "speeds.json")
	return h, nil
}

// hidden is the host's own directory in the workspace.
const hidden = ".host"

// Close ends the run that is going on, which is saved and goes on when the workspace is opened again, and gives the workspace back.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	g := h.going
	away := slices.Collect(maps.Values(h.far))
	h.mu.Unlock()
	for _, f := range away {
		h.leave(f)
	}
	if g != nil {
		g.cancel()
		<-g.done
	}
	h.plans.close()
	return errors.Join(h.device.close(), h.lock.Release())
}

// Watch hears the events of all runs from now on, in order, until stop is called. f returns soon.
func (h *Host) Watch(f func(wire.Frame)) (stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	n := h.last
	h.watchers[n] = f
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, n)
	}
}

// tell passes an event on.
func (h *Host) tell(f wire.Frame) {
	h.mu.Lock()
	all := make([]func(wire.Frame), 0, len(h.watchers))
	for i := 0; i <= h.last; i++ {
		if w := h.watchers[i]; w != nil {
			all = append(all, w)
		}
	}
	h.mu.Unlock()
	for _, w := range all {
		w(f)
	}
}

// Ask does what is asked for. It is the method of wire.Link.
func (h *Host) Ask(ctx context.Context, name string, request any, part func(name string, data json.RawMessage)) (json.RawMessage, error) {
	r, ok := request.(wire.Request)
	if !ok {
		raw, err := json.Marshal(request)
		if err != nil {
			return nil, fmt.Errorf("the request %s: %w", name, err)
		}
		if r, err = wire.ParseRequest(name, raw); err != nil {
			return nil, err
		}
	}
	reply, err := h.answer(ctx, r, func(name string, v any) {
		if part == nil {
			return
		}
		if raw, err := json.Marshal(v); err == nil { // a number that JSON does not have is no reason to stop
			part(name, raw)
		}
	})
	if err != nil || reply == nil {
		return nil, err
	}
	return json.Marshal(reply)
}

// parts tells what comes before a reply.
type parts func(name string, v any)

// sink passes the events of preparations on as parts.
func (p parts) sink(e wire.Event) { p(wire.Name(e), e) }

// answer does the work of Ask.
func (h *Host) answer(ctx context.Context, r wire.Request, part parts) (any, error) {
	switch r := r.(type) {
	case wire.Hello:
		return h.hello(ctx, r.Soon)
	case wire.Inspect:
		return h.inspect(ctx, r, part)
	case wire.Fetch:
		return h.fetch(ctx, r, part)
	case wire.Offered:
		return h.offered(ctx)
	case wire.Look:
		return h.look(ctx, r, part)
	case wire.Forecast:
		return h.forecast(ctx, r, part)
	case wire.Start:
		return h.start(ctx, r, part)
	case wire.Resume:
		return h.resume(ctx, r, part)
	case wire.Steer:
		return nil, h.steer(ctx, r)
	case wire.Answer:
		return h.speak(ctx, r, part)
	case wire.Runs:
		return h.runs(r.Run)
	case wire.Replay:
		return h.replay(r)
	case wire.Note:
		return nil, h.note(r)
	case wire.Export:
		return h.export(ctx, r, part)
	case wire.Delete:
		return h.delete(ctx, r)
	case wire.Survey:
		return h.survey(ctx, r, part)
	case wire.Move:
		return h.move(ctx, r, part)
	case wire.Attach:
		return h.attach(ctx, r)
	case wire.Agree:
		return nil, h.agree(r)
	}
	return nil, fmt.Errorf("this host does not know the request %s", r.Name())
}
