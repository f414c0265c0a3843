package cpu

import (
	"context"
	"time"

	"hone/core/device"
	"hone/core/tensor"
)

// Measure times multiply-adds in registers, and copies of more than caches hold.
func (d *Device) Measure(ctx context.Context) (device.Ceilings, error) {
	var c device.Ceilings
	const length = 16 << 20
	dst, src := make([]float32, length), make([]float32, length)
	for range 5 {
		if err := ctx.Err(); err != nil {
			return c, err
		}
		start := time.Now()
		n := d.pool.MultiplyAdds()
		c.FLOPs = max(c.FLOPs, n/time.Since(start).Seconds())
		start = time.Now()
		d.pool.CopyAll(dst, src)
		c.Bytes = max(c.Bytes, 2*4*length/time.Since(start).Seconds())
	}
	return c, nil
}

// Profile runs the program three times and gives the shortest time of each node.
func (e *exec) Profile(ctx context.Context, feeds map[string]tensor.Host) ([]device.OpTime, error) {
	e.times = make([]time.Duration, len(e.steps))
	defer func() { e.times = nil }()
	best := make([]time.Duration, len(e.steps))
	for run := range 3 {
		if _, err := e.Run(ctx, feeds); err != nil {
			return nil, err
		}
		for i, t := range e.times {
			if run == 0 || t < best[i] {
				best[i] = t
			}
		}
	}
	var list []device.OpTime
	for i, s := range e.steps {
		list = append(list, device.TimeOf(e.g, s.node, best[i]))
	}
	return list, nil
}
