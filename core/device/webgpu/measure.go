package webgpu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"hone/core/device"
	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// submissionTime is what one submission is meant to take. Watchdogs kill at two seconds, and the native driver gives up
// waiting at five.
const submissionTime = 100 * time.Millisecond

// measureTime bounds the measurement at start.
const measureTime = 120 * time.Millisecond

// settle chooses the kernels and the size of submissions by timing a product, unless a variant is forced; it does so once.
func (d *Device) settle(ctx context.Context) error {
	if d.settled {
		return nil
	}
	d.settled = true // also for the programs below
	forced := d.variant
	names := []string{Tiled, Registers} // a tie is for the first
	if d.about.software {
		names = []string{Registers, Tiled}
	}
	if forced != "" {
		names = []string{forced}
	}
	before := names[0]
	d.submissionFLOPs = 200e6
	best := 0.0
	began := time.Now()
	for size := 128; size <= 1024; size *= 2 {
		longest := time.Duration(0)
		best = 0
		fastest := ""
		for _, name := range names {
			d.variant = name
			took, err := d.timeProduct(ctx, size)
			if errors.As(err, new(roomError)) { // too little for two small matrices: what is known so far has to do
				d.variant = cmp.Or(fastest, before)
				return nil
			}
			if err != nil {
				d.settled, d.variant = false, forced
				return fmt.Errorf("measuring the %s kernels: %w", name, err)
			}
			longest = max(longest, took)
			if speed := 2 * float64(size*size*size) / took.Seconds(); speed > 1.25*best {
				best, fastest = speed, name
			}
		}
		d.variant, before = fastest, fastest
		// The next size takes eight times as long, and each is run three times.
		if time.Since(began)+24*longest > measureTime {
			break
		}
	}
	d.submissionFLOPs = int64(best * submissionTime.Seconds())
	return nil
}

// Choose takes the kernels of that name.
func (d *Device) Choose(variant string) error {
	if err := checkVariant(variant); err != nil || variant == d.variant {
		return err
	}
	d.variant, d.settled = variant, false // their speed is not known yet
	return nil
}

// timeProduct is the time of the faster of two products of square matrices, after one that does not count.
func (d *Device) timeProduct(ctx context.Context, n int) (time.Duration, error) {
	t := tensor.Of(tensor.F32, n, n)
	g, err := ir.Trace(func(b *ir.Builder) {
		b.Assign("c", op.MatMul(b, b.State("a", t), b.State("w", t), b.State("c", t), op.Orientation{B: true}, 1))
	})
	if err != nil {
		return 0, err
	}
	p, err := d.lower(g)
	if err != nil {
		return 0, err
	}
	e := newExec(d, p)
	defer e.Close()
	states := map[string]device.Buffer{}
	for name := range g.States {
		b, err := d.Upload(ctx, t, nil)
		if err != nil {
			return 0, err
		}
		defer b.Release()
		states[name] = b
	}
	if err := e.Bind(states); err != nil {
		return 0, err
	}
	best := time.Hour
	for i := range 3 {
		start := time.Now()
		if _, err := e.Run(ctx, nil); err != nil {
			return 0, err
		}
		if i > 0 {
			best = min(best, time.Since(start))
		}
	}
	return best, nil
}

// adapt learns from the longest submission of a run how much one may be. A busy machine is no reason: a submission far below what is
// allowed says nothing when it takes long, and after each time that submissions became smaller they have to be quick for longer
// before they grow.
func (e *exec) adapt(longest time.Duration) {
	d := e.d
	switch {
	case longest > 4*submissionTime && 4*e.most() >= d.submissionFLOPs:
		shrink := max(float64(submissionTime)/float64(longest), 0.125)
		d.submissionFLOPs = max(1e6, int64(float64(min(d.submissionFLOPs, e.budget))*shrink))
		d.quick, d.patience = 0, min(2*max(d.patience, 1), 1<<12)
	case longest < submissionTime/4 && e.cuts > 0 && e.budget >= d.submissionFLOPs:
		if d.quick++; d.quick >= d.patience {
			d.submissionFLOPs *= 2
			d.quick = 0
		}
	default:
		d.quick = 0
	}
}

// most is the work of the program's largest submission.
func (e *exec) most() int64 {
	if e.largest == 0 {
		work := int64(0)
		for _, s := range e.p.steps {
			for _, g := range s.grids {
				e.cutBefore(&work, g)
				e.largest = max(e.largest, work)
			}
		}
	}
	return e.largest
}

// stale reports whether the list is cut for submissions of another size than have proved right since, and would be cut otherwise.
func (e *exec) stale() bool {
	if e.budget > e.d.submissionFLOPs {
		return e.most() > e.d.submissionFLOPs
	}
	return 2*e.budget <= e.d.submissionFLOPs && e.cuts > 0
}

// cutAnew cuts the list for submissions of the present size. The program is lowered again only where its dispatches would be others:
// one is too much, or a kernel has several that might be fewer now. What it computes stays the same, bit for bit.
func (e *exec) cutAnew() error {
	fits := e.p.dispatch <= e.d.submissionFLOPs && !(e.p.split && e.budget < e.d.submissionFLOPs)
	e.budget, e.largest = e.d.submissionFLOPs, 0
	if fits {
		e.releaseList()
		return nil
	}
	p, err := e.d.lower(e.p.graph)
	if err != nil {
		return err
	}
	e.releaseGroups()
	e.releaseOwn()
	e.p, e.slotOf = p, e.d.sizes.Fit(p.plan.Slots)
	return nil
}
