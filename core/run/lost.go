package run

import (
	"context"
	"errors"
	"fmt"

	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/recipe"
	"hone/core/wire"
)

// Lost ends a run whose device went away. What was saved before is whole.
type Lost struct {
	Err       error
	Run       string // the run's directory
	Directory string // of the last checkpoint; empty when there is none
	Step      int    // of that checkpoint
	Done      int    // steps done when the device went away
}

func (e *Lost) Unwrap() error { return e.Err }

func (e *Lost) Error() string {
	if e.Directory == "" {
		return fmt.Sprintf("%v, after step %d; no state had been saved, so the run has to start again (a smaller --save_steps saves sooner, --fallback cpu goes on by itself)", e.Err, e.Done)
	}
	return fmt.Sprintf("%v, after step %d; the last state on disk is that of step %d in %s", e.Err, e.Done, e.Step, e.Directory)
}

// mostLosses is how often in a row a device may be lost without a step done in between.
const mostLosses = 3

// goOn opens the device anew, and again if need be, and goes on with a run that lost it. r is then the recipe that resumes it.
func goOn(ctx context.Context, c *Control, r *recipe.Recipe, why error, sink func(wire.Event)) (Result, error) {
	for done, losses := -1, 0; ; {
		var lost *Lost
		from := "the beginning"
		if errors.As(why, &lost) {
			if lost.Done > done {
				done, losses = lost.Done, 0
			}
			if lost.Directory != "" {
				from, r.ResumeFromCheckpoint = fmt.Sprintf("step %d", lost.Step), lost.Run
			}
		}
		if losses++; losses > mostLosses || ctx.Err() != nil {
			return Result{}, why
		}
		dev, err := c.Reopen(ctx, why)
		if err != nil {
			return Result{}, fmt.Errorf("%w; and it cannot be opened again: %v", why, err)
		}
		sink(wire.Warning{Text: fmt.Sprintf("%v. It was opened again, and the run goes on from %s", errors.Unwrap(why), from)})
		result, err := start(ctx, c, *r, dev, sink)
		if !errors.Is(err, device.ErrLost) {
			return result, err
		}
		why = err
	}
}

// fallBack goes on, on the CPU, with a run that lost its device.
func fallBack(ctx context.Context, c *Control, r recipe.Recipe, why error, sink func(wire.Event)) (Result, error) {
	host := cpu.New(0)
	defer host.Close()
	from := "the beginning"
	var lost *Lost
	if errors.As(why, &lost) && lost.Directory != "" {
		from, r.ResumeFromCheckpoint = fmt.Sprintf("step %d", lost.Step), lost.Run
	}
	sink(wire.Warning{Text: fmt.Sprintf("%v; --fallback cpu: the run goes on from %s on the CPU", why, from)})
	r.Device, r.KernelVariant = "cpu", "auto"
	if err := r.Set("device_memory", "0"); err != nil { // which bounded the lost device, not this machine
		return Result{}, err
	}
	return start(ctx, c, r, host, sink)
}
