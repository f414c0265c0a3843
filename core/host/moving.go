package host

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/move"
	"hone/core/recipe"
	"hone/core/wire"
)

// move lets a run go on elsewhere, or here again.
func (h *Host) move(ctx context.Context, r wire.Move, part parts) (wire.RunName, error) {
	f := h.awayRun(r.Run)
	if r.On.URL == "" {
		if f == nil {
			return wire.RunName{}, errHome
		}
		return h.comeHome(ctx, f, r.Away, part)
	}
	if f != nil {
		return wire.RunName{}, fmt.Errorf("the run is at %s; bring it back before it goes elsewhere", f.away.Server)
	}
	if err := h.moveUp(ctx, r.Run, r.On, part); err != nil {
		return wire.RunName{}, err
	}
	return wire.RunName{Run: r.Run}, nil
}

// moveUp brings a run to a server. What it names is sent while it goes on; then it ends here with a State, which follows. If the
// server does not take it, it goes on here.
func (h *Host) moveUp(ctx context.Context, id string, to wire.Server, part parts) error {
	dir, err := h.runDir(id)
	if err != nil {
		return err
	}
	moved, err := h.depart(id)
	if err != nil {
		return err
	}
	defer moved()
	if err := h.remember(to, nil); err != nil {
		return err
	}
	part.moving("connecting", "")
	c, err := h.reach(ctx, to)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := h.gather(ctx, dir, to, part); err != nil {
		return err
	}
	// From here on the move is not given up half way: the run is there, or here.
	ctx = context.WithoutCancel(ctx)
	part.moving("stopping", "")
	a := away{Server: to.URL, There: leaving, Key: rand.Text()}
	h.mu.Lock()
	g := h.going
	h.mu.Unlock()
	going := g != nil && g.name() == id
	path := filepath.Join(dir, awayFile)
	var old away // the server knows which of its events it has told
	if readFile(path, &old) && old.Server == a.Server {
		a.Seen, a.Given = old.Seen, old.Given
	}
	if going {
		g.mu.Lock()
		a.Paused, a.From = g.where.Status == statusPaused, g.journal.seq
		g.mu.Unlock()
		if err := replaceFile(path, a); err != nil { // who opens the workspace next goes on with the move
			return err
		}
		g.moves.Store(true) // its end here is none of the run
		g.cancel()
		<-g.done
	}
	back := func(err error) error {
		if err2 := os.Remove(path); err2 == nil && old.Server != "" {
			_ = replaceFile(path, old) // without it, events are told twice
		}
		if !going {
			return err
		}
		moved()
		if _, again := h.again(ctx, mark{Run: id, Paused: a.Paused}, func(string, any) {}); again != nil {
			return fmt.Errorf("%w; and it could not go on here: %v", err, again)
		}
		return fmt.Errorf("%w; it goes on here", err)
	}
	if going && g.err != nil {
		going = false
		return back(g.err)
	}
	if a.From, err = lastEvent(dir); err != nil {
		return back(err)
	}
	f, err := h.goAway(id, a)
	if err != nil {
		return back(err)
	}
	reaching, stop := h.reaching(ctx)
	err = f.dial(reaching)
	stop()
	if err == nil {
		err = h.arrive(ctx, f, part)
	}
	if errors.Is(err, errUnsure) { // if it went on here as well, there would be two
		f.mu.Lock()
		f.tell(wire.Moved{Step: f.away.Step, On: f.away.Server}, 0)
		f.mu.Unlock()
		f.say(wire.Linked{On: f.away.Server, Reason: err.Error(), Unsure: true})
		go f.land()
		return err
	}
	if err != nil {
		h.leave(f)
		return back(err)
	}
	f.follow()
	return nil
}

// depart lets one at a time move a run up, until moved is called; meanwhile nobody begins it here.
func (h *Host) depart(id string) (moved func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.elsewhere(id); err != nil {
		return nil, err
	}
	h.leaving[id] = true
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.leaving, id)
	}), nil
}

// elsewhere is why a run neither begins here nor moves up: it is away, or about to go. The caller holds the lock.
func (h *Host) elsewhere(id string) error {
	if f := h.far[id]; f != nil {
		return fmt.Errorf("the run is at %s; bring it back first", f.away.Server)
	}
	if h.leaving[id] {
		return fmt.Errorf("the run %s is just being moved", id)
	}
	return nil
}

// gather finds what a run names and sends it.
func (h *Host) gather(ctx context.Context, dir string, to wire.Server, part parts) (*move.Load, error) {
	raw, err := checkpoint.Run{Dir: dir}.ReadArgs()
	if err != nil {
		return nil, err
	}
	r, err := recipe.FromJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, checkpoint.ArgsFile), err)
	}
	return h.sendNamed(ctx, r, to, part)
}

func (h *Host) sendNamed(ctx context.Context, r recipe.Recipe, to wire.Server, part parts) (*move.Load, error) {
	if err := h.bring(ctx, r, part); err != nil {
		return nil, err
	}
	part.moving("hashing", "")
	load, err := move.Gather(r)
	if err != nil {
		return nil, err
	}
	return load, load.Send(ctx, h.filesOf(to), part.sending)
}

// arrive lets a run that has ended here go on at its server. It may be done again: the server is asked first, since the run may be there,
// and the State is brought if it is not.
func (h *Host) arrive(ctx context.Context, f *far, part parts) error {
	to := wire.Server{URL: f.away.Server}
	gather := move.GatherRun
	if _, saved, err := (checkpoint.Run{Dir: f.dir}).Latest(); err == nil && !saved {
		gather = move.GatherBegun
	}
	load, err := gather(f.dir)
	if err != nil {
		return err
	}
	if err := f.recount(ctx); err != nil {
		return err
	}
	r, err := load.Start(f.away.Key, wire.Usual)
	if err != nil {
		return err
	}
	r.Paused = f.away.Paused
	if r.From != nil {
		r.From.Instead = f.away.Given
	}
	f.mu.Lock()
	f.away.Step = load.From.Step // its events may come before the answer
	f.mu.Unlock()
	name, err := f.begin(ctx, r)
	if wire.StatusOf(err) == http.StatusConflict { // it has not begun there, and not all is there that it needs
		if err = load.Send(ctx, h.filesOf(to), part.sending); err == nil {
			name, err = f.begin(ctx, r)
		}
	}
	if err != nil {
		return err
	}
	if name.Run != f.id {
		return fmt.Errorf("the server calls the run %s", name.Run)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ctx.Err(); err != nil { // its user has taken it back meanwhile
		return err
	}
	f.away.There, f.away.Given = there, false
	if err := replaceFile(filepath.Join(f.dir, awayFile), f.away); err != nil {
		return err
	}
	f.tell(wire.Moved{Step: f.away.Step, On: f.away.Server}, 0)
	return nil
}

// begin asks the server to let the run go on there. An error other than errUnsure is that it does not.
func (f *far) begin(ctx context.Context, r wire.Start) (wire.RunName, error) {
	f.mu.Lock()
	client := f.client
	f.mu.Unlock()
	if client == nil { // it was given up meanwhile
		return wire.RunName{}, context.Canceled
	}
	name, err := move.Begin(ctx, client, r, cmp.Or(f.h.options.Reach, reachTime))
	if !move.Unsure(err) {
		return name, err
	}
	there, asked := wire.AskRun(ctx, client, f.id)
	switch {
	case asked == nil && (there.Status == "queued" || there.Status == "running" || there.Status == "paused"):
		return wire.RunName{Run: f.id}, nil
	case asked == nil, wire.StatusOf(asked) == http.StatusNotFound:
		return name, err
	}
	return name, fmt.Errorf("%w: %v", errUnsure, err)
}

// comeHome brings a run back and goes on with it here. With lost, the server is not asked: it may be gone for good. Then the run goes on
// from the last State that is here, which is a later one than that with which it left where bringing it was cut off.
func (h *Host) comeHome(ctx context.Context, f *far, lost bool, part parts) (wire.RunName, error) {
	f.homing.Lock() // the user may ask for what happens by itself
	defer f.homing.Unlock()
	if h.awayRun(f.id) != f {
		return wire.RunName{Run: f.id}, nil
	}
	f.mu.Lock()
	client, over, status := f.client, f.over, f.where.Status
	paused := status == statusPaused || status == statusQueued && f.away.Paused
	f.mu.Unlock()
	step := f.away.Step
	if !lost {
		if status != statusDone {
			if err := h.fits(ctx, f.dir, part); err != nil {
				return wire.RunName{}, fmt.Errorf("it cannot go on here: %w", err)
			}
		}
		if client == nil || !f.connected() {
			return wire.RunName{}, fmt.Errorf("%s is not reached now; the run is kept there", f.away.Server)
		}
		if status != statusDone && status != statusStopped && status != statusFailed {
			part.moving("stopping", "")
			if _, err := client.Ask(ctx, wire.Steer{}.Name(), wire.Steer{Run: f.id, Do: "stop"}, nil); err != nil {
				select {
				case <-over: // it ended at the same moment
				default:
					return wire.RunName{}, err
				}
			}
			select {
			case <-over:
			case <-ctx.Done():
				return wire.RunName{}, ctx.Err()
			}
		}
		stored, err := f.stored(ctx, client)
		if err != nil {
			return wire.RunName{}, err
		}
		if stored {
			_, step, err = move.Pull(ctx, client, h.filesOf(wire.Server{URL: f.away.Server}), f.id, filepath.Join(h.dir, runsDir), func(p move.Progress) {
				part("moving", wire.Moving{Doing: "fetching", File: p.File, Done: p.Done, Total: p.Total})
			})
			var further *move.Further
			if errors.As(err, &further) { // the server still had what came of it before: the run goes on with what is here
				step, err = further.Here, nil
			}
			if err != nil {
				return wire.RunName{}, err
			}
		} else if _, saved, err := (checkpoint.Run{Dir: f.dir}).Latest(); err == nil && !saved { // it is what it was when it left
			_, err := h.settle(f, step, false)
			return wire.RunName{Run: f.id}, err
		}
	} else if last, saved, err := (checkpoint.Run{Dir: f.dir}).Latest(); err == nil && saved {
		step = last.Step
	}
	if done, err := h.settle(f, step, lost); err != nil || done {
		return wire.RunName{Run: f.id}, err
	}
	return h.again(context.WithoutCancel(ctx), mark{Run: f.id, Paused: paused}, part)
}

// settle makes a run one of this host again. With given, what the server has of it is given up.
func (h *Host) settle(f *far, step int, given bool) (done bool, err error) {
	f.mu.Lock()
	done = f.where.Status == statusDone
	a := f.away
	a.There, a.Seen, a.Given = home, f.seen, given
	if err = replaceFile(filepath.Join(f.dir, awayFile), a); err == nil {
		f.tell(wire.Moved{Step: step}, 0)
	}
	f.mu.Unlock()
	if err == nil {
		h.leave(f)
	}
	return done, err
}

func (f *far) connected() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.linked.Connected
}

// fits says why a run cannot go on here.
func (h *Host) fits(ctx context.Context, dir string, part parts) error {
	raw, err := checkpoint.Run{Dir: dir}.ReadArgs()
	if err != nil {
		return err
	}
	rec, err := h.recipe(raw)
	if err != nil {
		return err
	}
	answer, err := h.forecastOf(ctx, rec, part)
	if err == nil && answer.Refusal != "" {
		err = errors.New(answer.Refusal)
	}
	return err
}

// startThere begins a run at a server, which is shown here.
func (h *Host) startThere(ctx context.Context, r recipe.Recipe, to wire.Server, part parts) (wire.RunName, error) {
	if err := h.remember(to, nil); err != nil {
		return wire.RunName{}, err
	}
	part.moving("connecting", "")
	c, err := h.reach(ctx, to)
	if err != nil {
		return wire.RunName{}, err
	}
	defer c.Close()
	load, err := h.sendNamed(ctx, r, to, part)
	if err != nil {
		return wire.RunName{}, err
	}
	s, err := load.Start(rand.Text(), wire.Usual)
	if err != nil {
		return wire.RunName{}, err
	}
	name, err := move.Begin(ctx, c, s, cmp.Or(h.options.Reach, reachTime))
	if err != nil {
		return wire.RunName{}, err
	}
	return name, h.adopt(ctx, name.Run, s.Recipe, to)
}

// attach shows a run that a server has.
func (h *Host) attach(ctx context.Context, r wire.Attach) (wire.RunName, error) {
	if _, err := h.runDir(r.Run); err == nil {
		return wire.RunName{}, fmt.Errorf("the run %s is here already", r.Run)
	}
	if err := h.remember(r.On, nil); err != nil {
		return wire.RunName{}, err
	}
	c, err := h.reach(ctx, r.On)
	if err != nil {
		return wire.RunName{}, err
	}
	defer c.Close()
	x, err := wire.AskRun(ctx, c, r.Run)
	if wire.StatusOf(err) == http.StatusNotFound {
		err = fmt.Errorf("there is no run %s of yours at %s", r.Run, r.On.URL)
	}
	if err != nil {
		return wire.RunName{}, err
	}
	return wire.RunName{Run: x.ID}, h.adopt(ctx, x.ID, x.Recipe, r.On)
}

// adopt makes a directory for a run of a server and follows it from its first event.
func (h *Host) adopt(ctx context.Context, id string, args []byte, on wire.Server) error {
	if !move.IsID(id) {
		return fmt.Errorf("%q is no id of a run", id)
	}
	dir := filepath.Join(h.dir, runsDir, filepath.FromSlash(id))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := (checkpoint.Run{Dir: dir}).WriteArgs(args); err != nil {
		return err
	}
	f, err := h.goAway(id, away{Server: on.URL, There: there})
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.tell(wire.Moved{On: on.URL}, 0)
	f.mu.Unlock()
	if err := f.dial(ctx); err != nil {
		h.leave(f)
		return err
	}
	f.follow()
	return nil
}

// refuge is the server where a run goes by itself that ended with err, as its user has agreed.
func (h *Host) refuge(err error) string {
	if !errors.Is(err, device.ErrLost) && !errors.Is(err, device.ErrMemory) {
		return ""
	}
	for url, k := range h.known() {
		if k.Agreed {
			return url
		}
	}
	return ""
}

// flee lets a run go on at the user's server, because of why it ended here.
func (h *Host) flee(id, to string, why error) {
	err := h.moveUp(context.Background(), id, wire.Server{URL: to}, func(string, any) {})
	if err == nil || errors.Is(err, errUnsure) {
		return
	}
	h.endInstead(id, fmt.Errorf("%w; and it could not go on at %s: %v", why, to, err))()
}

func (p parts) moving(doing, file string) { p("moving", wire.Moving{Doing: doing, File: file}) }

func (p parts) sending(m move.Progress) {
	p("moving", wire.Moving{Doing: "sending", File: m.File, Done: m.Done, Total: m.Total})
}
