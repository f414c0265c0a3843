package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hone/core/checkpoint"
	"hone/core/recipe"
	"hone/core/run"
	"hone/core/wire"
)

// attempt is a worker's work on a run, from the last State to the end of the run or of the attempt.
type attempt struct {
	w       *Worker
	b       *Broker
	record  *Record // as it was when the attempt began
	key     string
	journal *journal
	told    *told
	dir     string // all that lies on this machine's disk
	paused  bool   // the run begins so

	end   context.CancelCauseFunc // of the training
	ahead int                     // steps to do although it begins paused

	control  run.Control
	recipe   recipe.Recipe
	names    atomic.Pointer[strings.Replacer] // this machine's paths to what the user knows; answers read it while the run begins
	runDir   string
	status   string
	reason   string
	delay    time.Duration
	finished *wire.Finished // told when all is stored
	lost     error          // the device, which is of no use to any run any more

	asked atomic.Int64 // checkpoints that the user has asked for and that are not saved yet
	mu    sync.Mutex
	timed []int // checkpoints that neither the recipe nor the user asks for
	steps int
	loss  float64
	eval  float64
	rate  float64 // the learning_rate that was set last; 0: none was since the State that it began with

	rating sync.Mutex // one sets it at a time

	pause     *time.Timer // runs while the run is paused, see waits
	releasing bool        // the run leaves this worker

	begins int64 // how often the run has begun or gone on: then its log may have been cut

	events   *eventQueue
	uploader *uploader
}

// errStop and its like are why an attempt's context ends.
var (
	errStopped = errors.New("stopped by its user")
	errEnds    = errors.New("its worker ends")
)

// run does the work. Its error is errFenced, errRequeue, or one of writing down how it ended.
func (a *attempt) run(ctx context.Context, log *slog.Logger) error {
	defer func() {
		os.RemoveAll(a.dir)
		if err := a.w.makeRoom(nil); err != nil {
			log.Warn("what this worker has fetched stays on its disk", "error", err)
		}
	}()
	if err := os.RemoveAll(a.dir); err != nil {
		return err
	}
	// The engine may be away for a while: what is written then waits. So this context outlives the worker's.
	lasting, give := context.WithCancelCause(context.WithoutCancel(ctx))
	defer give(nil)
	training, end := context.WithCancelCause(lasting)
	defer end(nil)
	stop := context.AfterFunc(ctx, func() {
		end(errEnds)
		a.lastWords(lasting)
		give(errEnds)
	})
	defer stop()
	a.end = end
	a.events = newEventQueue(lasting, a.journal, func(err error) { end(err) })
	a.uploader = newUploader(lasting, a, func(err error) { end(err) })
	if a.paused {
		a.control.Pause() // before anybody can ask for a single step, which this would take back
		for range a.ahead {
			a.control.Step()
		}
	}
	a.control.Rate = a.record.Rate
	unwatch := a.watch(lasting, end)
	unserve := a.serve(lasting)
	a.told.ending = false
	err := a.train(training)
	unserve()
	unwatch()
	cause := context.Cause(training)
	if errors.Is(cause, errFenced) {
		a.events.close()
		a.uploader.close()
		return errFenced
	}
	if cause == nil && err == nil && a.runDir != "" {
		a.capture() // the run has written its last words
	}
	return a.conclude(lasting, err, cause, log)
}

// train brings everything here and lets the run go.
func (a *attempt) train(ctx context.Context) error {
	r, err := recipe.FromJSON(a.record.Recipe)
	if err != nil {
		return err
	}
	a.recipe = r
	pairs := []string{}
	a.control.Places, err = a.fetchPlaces(ctx)
	for name, path := range a.control.Places {
		pairs = append(pairs, path, name)
	}
	if err == nil {
		err = a.fetchState(ctx)
	}
	if err != nil {
		return err
	}
	a.names.Store(strings.NewReplacer(append(pairs, a.dir, "")...))
	go_ := a.recipe
	go_.OutputDir = filepath.Join(a.dir, "output")
	go_.ResumeFromCheckpoint = ""
	go_.DeviceMemory = 0 // a limit of the user's own device: a run that it was too small for comes here for that
	if a.record.State != nil {
		// What the run began with stands in its directory; what may change on the way is what the user gave.
		if go_, err = resumed(a.recipe, a.runDir); err != nil {
			return err
		}
	}
	stop := a.saveNowAndThen(ctx)
	defer stop()
	_, err = a.control.Start(ctx, go_, a.w.Device, a.hear)
	return err
}

// resumed is the recipe of a run that goes on in dir.
func resumed(r recipe.Recipe, dir string) (recipe.Recipe, error) {
	out := recipe.Default()
	for _, f := range recipe.Fields() {
		if !f.Resume || !r.Given(f.Name) || f.Name == "output_dir" || f.Name == "resume_from_checkpoint" || f.Name == "device" {
			continue
		}
		if err := out.Set(f.Name, r.Text(f.Name)); err != nil {
			return out, err
		}
	}
	return out, errors.Join(out.Set("resume_from_checkpoint", dir), out.Set("device_memory", "0"))
}

// hear takes the events of the run, in the run's own goroutine.
func (a *attempt) hear(event wire.Event) {
	step, quiet := 0, false
	switch e := event.(type) {
	case wire.Started:
		a.began(e)
		e.Told = a.told.curve()
		event = e
	case wire.Stepped:
		a.mu.Lock()
		a.loss = e.Loss
		a.mu.Unlock()
		step = e.Step
		a.w.newest.Store(int64(step))
	case wire.Evaluated:
		a.mu.Lock()
		if a.eval == 0 || e.EvalLoss < a.eval {
			a.eval = e.EvalLoss
		}
		a.mu.Unlock()
		step = e.Step
	case wire.Progress:
		step, quiet = e.Step, true
		a.w.newest.Store(int64(step))
	case wire.Loading, wire.Downloading:
		quiet = true
	case wire.Saved:
		a.saved(e)
		step = e.Step
	case wire.Paused:
		a.show(Paused)
		a.holds()
	case wire.Resumed:
		if !a.goesOn() {
			return
		}
		a.show(Running)
	case wire.Finished:
		a.finished = &e
		return
	}
	name := wire.Name(event)
	if !a.told.fresh(name, step) {
		return
	}
	raw, err := json.Marshal(event)
	if err != nil {
		raw, _ = json.Marshal(wire.Warning{Text: fmt.Sprintf("an event %s could not be told: %v", name, err)})
		name = "warning"
	}
	a.events.add(name, json.RawMessage(a.names.Load().Replace(string(raw))), quiet)
}

// warn tells what this worker itself has to say.
func (a *attempt) warn(text string) {
	if raw, err := json.Marshal(wire.Warning{Text: text}); err == nil {
		a.events.add("warning", raw, false)
	}
}

// began learns where the run stands, and lets it write down the user's own output_dir and device_memory in the place of this worker's.
func (a *attempt) began(e wire.Started) {
	a.begins++
	first := a.runDir == ""
	a.runDir, a.steps = e.Directory, e.TotalSteps
	pairs := []string{a.runDir, "runs/" + a.record.ID}
	for name, path := range a.control.Places {
		pairs = append(pairs, path, name)
	}
	a.names.Store(strings.NewReplacer(append(pairs, a.dir, "")...))
	if !first {
		return
	}
	r := checkpoint.Run{Dir: a.runDir}
	raw, err := r.ReadArgs()
	var was recipe.Recipe
	if err == nil {
		was, err = recipe.FromJSON(raw)
	}
	if err == nil {
		was.OutputDir, was.DeviceMemory = a.recipe.OutputDir, a.recipe.DeviceMemory
		if raw, err = was.ToJSON(); err == nil {
			err = r.WriteArgs(raw)
		}
	}
	if err != nil { // the run is none the worse for it
		a.w.Log.Warn("the recipe of a run keeps what is this worker's own of it", "error", err)
	}
}

// show tells the record what the run is doing.
func (a *attempt) show(status string) {
	a.events.later(func(ctx context.Context) error {
		return a.write(ctx, func(r *Record) { r.Status = status })
	})
}

// write changes the record while it is this attempt's.
func (a *attempt) write(ctx context.Context, f func(*Record)) error {
	_, err := a.b.update(ctx, a.record.User, a.record.ID, func(r *Record) error {
		if r.Attempt != a.record.Attempt || over(r.Status) {
			return errFenced
		}
		f(r)
		return nil
	})
	return err
}

// saveNowAndThen stores a State every so often although the recipe does not ask for it.
func (a *attempt) saveNowAndThen(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(a.w.Every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if a.w.newest.Load() == 0 {
					continue // no step yet
				}
				if a.uploader.open.Load() > 0 { // this one would wait as well, and take time from the run
					a.w.Log.Debug("a State is still being stored", "run", a.record.ID)
					continue
				}
				// Between two steps; an error is one of the disk, which the run's own saving meets too.
				if _, err := a.control.Save(ctx); err != nil && ctx.Err() == nil {
					a.w.Log.Debug("saving now and then", "error", err)
				}
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// saved hands a checkpoint on to the store, and removes older ones that only stood for the moment.
func (a *attempt) saved(e wire.Saved) {
	a.mu.Lock()
	old := a.timed
	a.timed = nil
	if a.askedByNobody(e.Step) {
		a.timed = []int{e.Step}
	}
	a.mu.Unlock()
	for _, step := range old {
		if step != e.Step {
			r := checkpoint.Run{Dir: a.runDir}
			_ = r.Remove(filepath.Join(a.runDir, checkpointName(step))) // what stays is only a checkpoint more
		}
	}
	a.capture()
}

// askedByNobody reports whether a checkpoint is only there so that another worker can go on.
func (a *attempt) askedByNobody(step int) bool {
	if a.asked.Load() > 0 || step == a.steps {
		return false
	}
	r := a.recipe
	return step%r.SaveSteps != 0 && !(r.LoadBestModelAtEnd && step%max(r.EvalSteps, 1) == 0)
}
