package host

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/recipe"
	"hone/core/run"
	"hone/core/wire"
)

// going is a run that goes on.
type going struct {
	control run.Control
	recipe  recipe.Recipe
	cancel  context.CancelFunc
	begun   chan struct{} // closed when it has a directory and events
	done    chan struct{} // closed when it is over
	over    atomic.Bool   // its last event is told
	moves   atomic.Bool   // it ends here to go on elsewhere
	err     error         // why it failed, once done

	mu      sync.Mutex
	id      string
	journal *journal
	where   standing
	stepped bool  // a step was done since it was begun or gone on with
	unheard error // why its events cannot be written down
}

// start starts a run.
func (h *Host) start(ctx context.Context, r wire.Start, part parts) (wire.RunName, error) {
	rec, err := h.recipe(r.Recipe)
	if err != nil {
		return wire.RunName{}, err
	}
	if err := rec.Validate(); err != nil {
		return wire.RunName{}, err
	}
	if r.On != nil {
		return h.startThere(ctx, rec, *r.On, part)
	}
	name, err := h.carryOut(ctx, rec, mark{}, part)
	if to := h.refuge(err); to != "" { // it does not fit here
		return h.startThere(ctx, rec, wire.Server{URL: to}, part)
	}
	return name, err
}

// resume goes on with a run that stopped.
func (h *Host) resume(ctx context.Context, r wire.Resume, part parts) (wire.RunName, error) {
	if f := h.awayRun(r.Run); f != nil {
		return wire.RunName(r), f.resume(ctx, r)
	}
	name, err := h.again(ctx, mark{Run: r.Run}, part)
	if to := h.refuge(err); to != "" {
		return wire.RunName(r), h.moveUp(ctx, r.Run, wire.Server{URL: to}, part)
	}
	return name, err
}

func (h *Host) again(ctx context.Context, m mark, part parts) (wire.RunName, error) {
	dir, err := h.runDir(m.Run)
	if err != nil {
		return wire.RunName{}, err
	}
	// What it resumes with is the recipe that it recorded; how to look for names and which device is to be had is today's matter.
	raw, err := checkpoint.Run{Dir: dir}.ReadArgs()
	if err != nil {
		return wire.RunName{}, err
	}
	rec, err := recipe.FromJSON(raw)
	if err != nil {
		return wire.RunName{}, fmt.Errorf("run %s: %w", m.Run, err)
	}
	rec.ResumeFromCheckpoint = dir
	m.Tries++
	return h.carryOut(ctx, rec, m, part)
}

// carryOut begins a run, and returns when it has begun.
func (h *Host) carryOut(ctx context.Context, r recipe.Recipe, m mark, part parts) (wire.RunName, error) {
	runCtx, cancel := context.WithCancel(context.Background())
	g := &going{recipe: r, cancel: cancel, begun: make(chan struct{}), done: make(chan struct{}), id: m.Run}
	if m.Run != "" {
		g.where = standingIn(filepath.Join(h.dir, runsDir, filepath.FromSlash(m.Run)))
	}
	g.control.SaveEvery = h.options.SaveEvery
	g.control.Tag = strings.ToLower(rand.Text()[:6]) // a class presses the button in one second, and its runs may meet at one server
	if m.Paused {
		g.control.Pause()
	}
	h.mu.Lock()
	for h.going != nil && h.going.over.Load() { // it has told its end, and only tidies up
		before := h.going
		h.mu.Unlock()
		<-before.done
		h.mu.Lock()
	}
	err := h.elsewhere(m.Run)
	switch {
	case err != nil:
	case h.closed:
		err = errors.New("the workspace is being closed")
	case h.going != nil:
		err = fmt.Errorf("the run %s is going on, and there is one device; stop it first, or wait for its end", h.going.name())
	default:
		h.going = g
	}
	h.mu.Unlock()
	if err != nil {
		cancel()
		return wire.RunName{}, err
	}
	if m.Run != "" {
		_ = replaceFile(h.markPath(), m) // without it the run is only not gone on with by itself
	}
	go h.work(runCtx, g, r, part)
	select {
	case <-g.begun:
		return wire.RunName{Run: g.name()}, nil
	case <-g.done:
		return wire.RunName{}, g.err
	case <-ctx.Done():
		select {
		case <-g.begun:
			return wire.RunName{Run: g.name()}, nil
		default:
		}
		cancel()
		<-g.done
		return wire.RunName{}, ctx.Err()
	}
}

func (g *going) name() string {
	return cmp.Or(g.known(), "that is being prepared")
}

// known is its ID, "" where it has none yet.
func (g *going) known() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.id
}

// work is a run from its beginning to its end.
func (h *Host) work(ctx context.Context, g *going, r recipe.Recipe, part parts) {
	var result run.Result
	err := h.bring(ctx, r, part)
	if err == nil {
		h.device.busy.Lock()
		h.device.silence()
		result, err = h.train(ctx, g, r, part)
		h.device.lose(err)
		h.device.busy.Unlock()
	}
	h.mu.Lock()
	closing := h.closed
	h.mu.Unlock()
	if !(closing && ctx.Err() != nil) {
		os.Remove(h.markPath())
	}
	if err == nil {
		err = g.unheard
	}
	refuge := ""
	select {
	case <-g.begun:
		if errors.Is(err, context.Canceled) { // before its first step: nothing is lost
			err = nil
			h.hear(g, wire.Finished{Stopped: "interrupted", Directory: result.Directory})
		}
		if refuge = h.refuge(err); refuge != "" {
			h.hear(g, wire.Warning{Text: fmt.Sprintf("%v. As you agreed, the run goes on at %s", err, refuge)})
		} else if err != nil {
			h.hear(g, wire.Failed{Step: g.where.Saved, Reason: err.Error()})
		}
		g.journal.close()
	default:
	}
	h.mu.Lock()
	h.going = nil
	h.mu.Unlock()
	g.err = err
	if errors.Is(err, context.Canceled) {
		g.err = errStopped
	}
	close(g.done)
	if refuge != "" {
		h.flee(g.name(), refuge, err)
	}
}

// train opens the device and lets package run do the rest.
func (h *Host) train(ctx context.Context, g *going, r recipe.Recipe, part parts) (run.Result, error) {
	dev, err := h.device.take(ctx, r)
	if err != nil {
		return run.Result{}, err
	}
	asked := r // the recipe is the run's, whatever becomes of the device
	g.control.Reopen = func(ctx context.Context, lost error) (device.Device, error) {
		h.device.drop()
		var err error
		for wait := 100 * time.Millisecond; wait < 10*time.Second; wait *= 4 {
			var dev device.Device
			if dev, err = h.device.take(ctx, asked); err == nil {
				return dev, nil
			}
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(wait):
			}
		}
		return nil, err
	}
	return g.control.Start(run.Keep(ctx, &h.rows), r, dev, func(e wire.Event) {
		select {
		case <-g.begun:
		default:
			s, ok := e.(wire.Started)
			if !ok {
				part.sink(e)
				return
			}
			if err := h.begin(g, s); err != nil {
				part.sink(wire.Warning{Text: err.Error()})
				return
			}
		}
		h.hear(g, e)
	})
}

// begin gives a run its name, its journal and its mark.
func (h *Host) begin(g *going, s wire.Started) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.id = h.runID(s.Directory)
	j, err := openJournal(s.Directory, g.id, 0)
	if err != nil {
		g.unheard = err
		g.cancel()
		return err
	}
	g.journal = j
	_ = replaceFile(h.markPath(), mark{Run: g.id, Tries: g.tries(h)})
	close(g.begun)
	return nil
}

func (g *going) tries(h *Host) int {
	var m mark
	if readFile(h.markPath(), &m) && m.Run == g.id {
		return m.Tries
	}
	return 0
}

// hear writes an event of the run down and passes it on.
func (h *Host) hear(g *going, e wire.Event) {
	if _, ends := e.(wire.Finished); ends && g.moves.Load() {
		g.over.Store(true)
		return
	}
	if s, ok := e.(wire.Started); ok {
		s.Directory = h.name(s.Directory)
		e = s
	}
	g.mu.Lock()
	f, err := g.journal.add(e, 0)
	switch e.(type) {
	case wire.Stepped, wire.Progress:
		g.stepped = true
	}
	if g.where.take(e) {
		dir := filepath.Join(h.dir, runsDir, filepath.FromSlash(g.id))
		_ = replaceFile(filepath.Join(dir, standingFile), g.where) // it can be found out again
		m := mark{Run: g.id, Paused: g.where.Status == statusPaused}
		if g.where.Status == statusRunning || m.Paused {
			if !g.stepped {
				m.Tries = g.tries(h)
			}
			_ = replaceFile(h.markPath(), m)
		}
	}
	g.mu.Unlock()
	switch e.(type) {
	case wire.Finished, wire.Failed:
		g.over.Store(true)
	}
	h.speeds.learn(h.device.name(), e)
	if err != nil {
		data, _ := json.Marshal(e)
		f = wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: g.id, Name: wire.Name(e), Data: data}
	}
	h.tell(f)
}

// steer changes the run that is going on.
func (h *Host) steer(ctx context.Context, r wire.Steer) error {
	if f := h.awayRun(r.Run); f != nil {
		return f.steer(ctx, r)
	}
	h.mu.Lock()
	g := h.going
	h.mu.Unlock()
	if g == nil || r.Run != "" && r.Run != g.name() {
		return fmt.Errorf("the run %s is not going on", r.Run)
	}
	switch r.Do {
	case "pause":
		g.control.Pause()
	case "continue":
		g.control.Resume()
	case "step":
		g.control.Step()
	case "save":
		_, err := g.control.Save(ctx)
		return err
	case "keep":
		return g.control.Keep(ctx)
	case "stop":
		g.cancel()
	case "rate":
		return g.control.SetLearningRate(ctx, r.LearningRate)
	default:
		return fmt.Errorf("a run cannot %q; it can pause, continue, step, save, keep, stop and rate", r.Do)
	}
	return nil
}
