package webgpu

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hone/core/device"
	"hone/core/ir"
	"hone/core/tensor"
	"hone/shaders"
)

// About is what is known of an adapter.
type About struct {
	Name     string
	Software bool // it computes on the CPU
	Limits   []Limit
	Features []string
}

// Limit is one of WebGPU's limits, by its name there.
type Limit struct {
	Name  string
	Value int64
}

// Adapters describes those of this machine, beginning with the one that the device is.
func (d *Device) Adapters() []About {
	var list []About
	for _, a := range append([]adapter{d.about}, d.about.others...) {
		list = append(list, About{Name: a.name, Software: a.software, Features: a.features, Limits: []Limit{
			{"maxBufferSize", a.maxBuffer}, {"maxStorageBufferBindingSize", a.maxBinding}, {"minStorageBufferOffsetAlignment", a.alignment},
			{"maxStorageBuffersPerShaderStage", int64(a.maxStorage)}, {"maxComputeWorkgroupsPerDimension", int64(a.maxGroups)}}})
	}
	return list
}

// Measure times pure multiply-adds and a pure copy.
func (d *Device) Measure(ctx context.Context) (device.Ceilings, error) {
	if err := d.settle(ctx); err != nil {
		return device.Ceilings{}, err
	}
	var c device.Ceilings
	const opsAStep = 2 * 4 * 16
	const invocations = 1 << 18 // more than any card runs at once
	var err error
	c.FLOPs, err = d.rate(ctx, kernel{shader: "ceiling_fma", storage: []operand{{access: writes}}}, 16*invocations, func(size int) (grid, int, float64) {
		steps := 8 * size
		return grid{groups: [3]uint32{invocations / 64, 1, 1}, params: params(steps, float32(0.5))}, 1, opsAStep * float64(steps) * invocations
	})
	if err != nil {
		return c, fmt.Errorf("measuring multiply-adds: %w", err)
	}
	length := min(128<<20, d.about.maxBinding/1024*1024) // more than caches hold
	vectors := int(length / 16)
	c.Bytes, err = d.rate(ctx, kernel{shader: "copy", variant: shaders.Variant{Flags: []string{"VEC4"}}, storage: []operand{{access: writes}, {access: reads}}}, length,
		func(size int) (grid, int, float64) {
			groups := min(vectors/elementGroup, d.about.maxGroups)
			return grid{groups: [3]uint32{uint32(groups), 1, 1}, params: params(0, vectors)}, size, float64(size) * 2 * 16 * float64(groups*elementGroup)
		})
	if err != nil {
		return c, fmt.Errorf("measuring copies: %w", err)
	}
	return c, nil
}

// rate is the most that a kernel does a second, over buffers of so many bytes. of gives a dispatch for a size, from one up,
// how often a submission has it, and what the submission does; sizes double until one takes long enough to be timed.
func (d *Device) rate(ctx context.Context, k kernel, bytes int64, of func(size int) (g grid, times int, work float64)) (float64, error) {
	ids, err := d.pipelinesOf([]kernel{k})
	if err != nil {
		return 0, err
	}
	var bindings []binding
	for i := range len(k.storage) + 1 {
		u, n := storage, bytes
		if i == 0 {
			u, n = uniform, 16
		}
		b, err := d.newBuffer("measurement", n, u)
		if err != nil {
			return 0, err
		}
		defer d.releaseBuffer(b)
		bindings = append(bindings, binding{b, 0, n})
	}
	var group groupID
	err = d.drv.scope(func() (err error) {
		group, err = d.drv.createGroup(ids[0], bindings)
		return err
	})
	if err != nil {
		return 0, err
	}
	defer d.drv.releaseGroup(group)
	best := 0.0
	for size := 1; ; size *= 2 {
		g, times, work := of(size)
		if err := d.drv.write(bindings[0].buffer, 0, g.params); err != nil {
			return 0, err
		}
		p, err := d.drv.record(recording{commands: slices.Repeat([]command{{kind: dispatch, pipeline: ids[0], group: group, groups: g.groups}}, times)})
		if err != nil {
			return 0, err
		}
		least := time.Hour
		for i := range 4 {
			start := time.Now()
			if _, err := d.drv.replay(ctx, p, nil, nil); err != nil {
				return 0, err
			}
			if i > 0 { // the first compiles
				least = min(least, time.Since(start))
			}
		}
		d.drv.forget(p)
		best = max(best, work/least.Seconds())
		if least > 20*time.Millisecond || size >= 1<<14 {
			return best, nil
		}
	}
}

// Profile runs each kernel so often in one submission that its time can be told from that of submitting. Kernels that
// differ in nothing but their buffers are timed once.
func (e *exec) Profile(ctx context.Context, feeds map[string]tensor.Host) ([]device.OpTime, error) {
	if _, err := e.Run(ctx, feeds); err != nil {
		return nil, err
	}
	took := map[ir.Value]time.Duration{}
	alike := map[string]time.Duration{}
	var order []ir.Value
	at := 0 // of the groups, which are in the order of the dispatches
	for _, s := range e.p.steps {
		var once []command
		key := fmt.Sprint(s.pipeline)
		for _, g := range s.grids {
			key += fmt.Sprint(g.groups, g.params)
			if len(once) > 0 { // each is as much as a submission may be
				once = append(once, command{kind: cut})
			}
			once = append(once, command{kind: dispatch, pipeline: s.pipeline, group: e.groups[at], groups: g.groups})
			at++
		}
		t, known := alike[key]
		if !known {
			var err error
			if t, err = e.d.timeOf(ctx, once); err != nil {
				return nil, fmt.Errorf("operator %s: %w", s.op, err)
			}
			alike[key] = t
		}
		if _, ok := took[s.node]; !ok {
			order = append(order, s.node)
		}
		took[s.node] += t
	}
	var list []device.OpTime
	for _, v := range order {
		list = append(list, device.TimeOf(e.p.graph, v, took[v]))
	}
	return list, nil
}

// timeOf is the time of commands, the shortest of three tries.
func (d *Device) timeOf(ctx context.Context, once []command) (time.Duration, error) {
	times := 1
	best := time.Hour
	for try := 0; try < 3; { // submitting takes up to a millisecond
		p, err := d.drv.record(recording{commands: slices.Repeat(once, times)})
		if err != nil {
			return 0, err
		}
		start := time.Now()
		_, err = d.drv.replay(ctx, p, nil, nil)
		t := time.Since(start)
		d.drv.forget(p)
		if err != nil {
			return 0, err
		}
		if t < 10*time.Millisecond && times < 1<<12 {
			times *= 4
			continue
		}
		best = min(best, t/time.Duration(times))
		try++
	}
	return best, nil
}

// Held is what all buffers of the device take, in bytes.
func (d *Device) Held() int64 { return d.held }
