package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/filelock"
	"hone/core/hub"
	"hone/core/recipe"
	"hone/server/http"
	"hone/server/jobs"
)

func init() {
	register(command{name: "worker", args: "--nats URL [flags]", short: "Do the jobs of a server on this machine's device", run: worker})
}

// natsEnv names the engine to a worker that a server starts: an address holds a secret, and arguments are seen by all users.
const natsEnv = "HONE_NATS"

// workerFlags are those of a worker, which a server hands on to its own.
type workerFlags struct {
	device string
	lease  time.Duration
	every  time.Duration
	tries  int
	token  bool
	grace  time.Duration // of a server for its workers; 0: workerGrace
	keep   recipe.Bytes
	paused time.Duration
}

func (f *workerFlags) flags() []recipe.Flag {
	return []recipe.Flag{
		{Name: "device", Value: "NAME", Default: "auto", Help: "where a worker computes: cpu, webgpu, or auto", Set: text(&f.device)},
		{Name: "lease", Value: "TIME", Default: "30s", Help: "a worker that is silent for so long is taken for dead, and its run goes on elsewhere; workers take it from their server", Set: duration(&f.lease)},
		{Name: "save_every", Value: "TIME", Default: "1m", Help: "store what a run needs to go on so often, beside the recipe's save_steps", Set: duration(&f.every)},
		{Name: "retries", Value: "N", Default: "5", Help: "attempts in a row without progress before a run is given up", Set: count(&f.tries)},
		{Name: "keep_paused", Value: "TIME", Default: "5m", Help: "a paused run keeps its device for so long; then its State is stored and others have the device until its user lets it go on", Set: duration(&f.paused)},
		{Name: "keep_files", Value: "SIZE", Default: "a quarter of the disk, at most 100GiB", Help: "what a worker keeps of models and rows that it has fetched, for the next run on them; what was used longest ago goes", Set: bytesFlag(&f.keep)},
		{Name: "hub_token", Bool: true, Default: "false", Help: "fetch what runs name with this machine's own token of the hub: every user then gets at what its owner may see", Set: func(v string) (err error) { f.token, err = strconv.ParseBool(v); return err }},
	}
}

// args are the flags as a command line.
func (f *workerFlags) args() (out []string) {
	if f.device != "" {
		out = append(out, "--device", f.device)
	}
	if f.every > 0 {
		out = append(out, "--save_every", f.every.String())
	}
	if f.tries > 0 {
		out = append(out, "--retries", strconv.Itoa(f.tries))
	}
	if f.paused > 0 {
		out = append(out, "--keep_paused", f.paused.String())
	}
	if f.keep > 0 {
		out = append(out, "--keep_files", strconv.FormatInt(int64(f.keep), 10))
	}
	if f.token {
		out = append(out, "--hub_token")
	}
	return out
}

func duration(p *time.Duration) func(string) error {
	return func(v string) (err error) {
		if *p, err = time.ParseDuration(v); err != nil || *p <= 0 {
			return errors.New("a time such as 500ms, 30s or 5m is wanted")
		}
		return nil
	}
}

func worker(e env, args []string) error {
	f := workerFlags{device: "auto"}
	dir, address, child := defaultDataDir(), os.Getenv(natsEnv), false
	positional, help, err := e.parse(args, append([]recipe.Flag{
		{Name: "nats", Value: "URL", Help: "the engine that holds the jobs, such as nats://token@host:4222; HONE_NATS keeps it out of the list of processes", Set: text(&address)},
		dataDirFlag(&dir),
		{Name: "child", Bool: true, Default: "false", Help: "end when standard input ends: as the server's own workers do", Set: func(v string) (err error) { child, err = strconv.ParseBool(v); return err }},
	}, f.flags()...), "worker --nats URL [flags]\n\nTakes one job after the other. Ctrl-C saves the run under way and gives it back.")
	if err != nil || help {
		return err
	}
	if len(positional) > 0 {
		return fmt.Errorf("worker: %q is not understood; it takes flags alone", positional[0])
	}
	if address == "" {
		return errors.New("worker: --nats is missing: where are the jobs? `hone serve` starts workers of its own")
	}
	log := slog.New(slog.NewTextHandler(e.err, nil))
	if child {
		ctx, cancel := context.WithCancel(e.ctx)
		defer cancel()
		e.ctx = ctx
		go func() {
			io.Copy(io.Discard, os.Stdin) // ends when the server does, whatever ended it
			cancel()
		}()
	}
	hub.Dial = http.DialHubs(hub.Endpoints()) // recipes of others say what is fetched
	if !f.token {
		if err := hub.Anonymous(); err != nil {
			return err
		}
	}
	home, lock, err := workerHome(dir)
	if err != nil {
		return err
	}
	defer lock.Release()
	dev, err := openDevice(e, f.device, 0, "auto")
	if err != nil {
		return err
	}
	defer func() { dev.Close() }()
	lost, why := endWhenLost(&e)
	b, err := reach(e.ctx, jobs.Options{NATS: address, Lease: f.lease, Joins: true, Log: log, Lost: lost})
	if err != nil {
		return err
	}
	defer b.Close()
	log.Info("a worker waits for jobs", "process", os.Getpid(), "device", dev.Caps().Name)
	for {
		w := &jobs.Worker{Broker: b, Device: dev, Dir: home, Every: f.every, Tries: f.tries, Keep: int64(f.keep), Patience: f.paused, Log: log}
		err := w.Run(e.ctx)
		if !errors.Is(err, device.ErrLost) {
			return why(err)
		}
		log.Warn("the device is lost; it is opened again", "device", dev.Caps().Name, "error", err)
		dev.Close()
		again, failed := reopen(e.ctx, dev.Caps().Name, time.Minute, func() (device.Device, error) { return openDevice(e, f.device, 0, "auto") })
		if failed != nil {
			return why(fmt.Errorf("worker: %w; it cannot be opened again: %w", err, failed))
		}
		dev = again
		if child { // the server starts another one: what the driver still holds for a lost device goes with the process
			return fmt.Errorf("worker: %w", err)
		}
		log.Info("a worker waits for jobs again", "process", os.Getpid(), "device", dev.Caps().Name)
	}
}

// reopen opens a device that was lost, by its name: "auto" is not to become another, slower one because a driver takes a while to be
// there again. It tries for as long as it is given.
func reopen(ctx context.Context, name string, most time.Duration, open func() (device.Device, error)) (device.Device, error) {
	for began, pause := time.Now(), most/60; ; pause = min(2*pause, most/12) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		dev, err := open()
		if err == nil && dev.Caps().Name == name {
			return dev, nil
		}
		if err == nil {
			dev.Close()
			err = fmt.Errorf("in the place of %s there is only %s", name, dev.Caps().Name)
		}
		if time.Since(began) >= most {
			return nil, err
		}
	}
}

// endWhenLost has all that goes on in e end when lost is called: a process without its engine must not stay. why gives the reason
// then, in the place of err.
func endWhenLost(e *env) (lost func(error), why func(err error) error) {
	ctx, end := context.WithCancelCause(e.ctx)
	e.ctx = ctx
	return end, func(err error) error {
		if cause := context.Cause(ctx); errors.Is(cause, jobs.ErrLost) {
			return cause
		}
		return err
	}
}

// reach connects to an engine that may still be starting.
func reach(ctx context.Context, o jobs.Options) (*jobs.Broker, error) {
	for began := time.Now(); ; {
		b, err := jobs.Open(ctx, o)
		if err == nil || ctx.Err() != nil || time.Since(began) > time.Minute {
			return b, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// workerHome is the first directory of a worker that no other one has.
func workerHome(dir string) (string, *filelock.Lock, error) {
	for n := 0; ; n++ {
		home := filepath.Join(dir, "workers", strconv.Itoa(n))
		if err := os.MkdirAll(home, 0o700); err != nil {
			return "", nil, fmt.Errorf("worker: %w", err)
		}
		lock, err := filelock.Try(filepath.Join(home, ".lock"))
		if held := (*filelock.Held)(nil); errors.As(err, &held) {
			continue
		}
		return home, lock, err
	}
}

// superviseWorkers keeps n workers of this machine running until ctx ends; then it waits until they have given back their runs.
func superviseWorkers(ctx context.Context, n int, address, dir string, f workerFlags, log *slog.Logger) (wait func()) {
	ended := make(chan struct{}, n)
	for range n {
		go func() {
			defer func() { ended <- struct{}{} }()
			pause := time.Second
			for ctx.Err() == nil {
				began := time.Now()
				err := oneWorker(ctx, address, dir, f)
				if ctx.Err() != nil {
					return
				}
				log.Warn("a worker ended; another one is started", "error", err)
				if time.Since(began) > time.Minute {
					pause = time.Second
				}
				select {
				case <-ctx.Done():
				case <-time.After(pause):
				}
				pause = min(2*pause, 5*time.Second)
			}
		}()
	}
	return func() {
		for range n {
			<-ended
		}
	}
}

// workerGrace is how long a worker may take to save and end, beside the time in which it stores what it has.
const workerGrace = time.Minute

func oneWorker(ctx context.Context, address, dir string, f workerFlags) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.Command(self, append([]string{"worker", "--child", "--data_dir", dir}, f.args()...)...)
	c.Env = append(os.Environ(), natsEnv+"="+address)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		in.Close()
		grace := cmp.Or(f.grace, workerGrace)
		for began := time.Now(); time.Since(began) <= grace+storingTime(dir, c.Process.Pid); { // which changes while it stores
			select {
			case <-ended:
				return
			case <-time.After(grace / 10):
			}
		}
		c.Process.Kill()
	})
	defer stop()
	defer close(ended)
	return c.Wait()
}

// storingTime is what a worker process needs to store its last State, whichever of the directories it has.
func storingTime(dir string, pid int) (longest time.Duration) {
	for _, home := range checkpoint.Glob(dir, "workers/*") {
		longest = max(longest, jobs.StoringTime(home, pid))
	}
	return longest
}
