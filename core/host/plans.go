package host

import (
	"context"
	"sync"

	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/recipe"
)

// plans has the device on which forecasts are compiled.
type plans struct {
	mu   sync.Mutex // one forecast at a time
	dev  device.Device
	kept choice

	offering sync.Mutex
	offered  device.Device // like the device that was opened last; dev from the next forecast on
	of       choice
}

// offer takes over a device for plans.
func (p *plans) offer(dev device.Device, of choice) {
	p.offering.Lock()
	defer p.offering.Unlock()
	if p.offered != nil {
		p.offered.Close()
	}
	p.offered, p.of = dev, of
}

// accept takes what was offered. The caller holds mu.
func (p *plans) accept() {
	p.offering.Lock()
	defer p.offering.Unlock()
	if p.offered != nil {
		p.drop()
		p.dev, p.kept, p.offered = p.offered, p.of, nil
	}
}

// with lets f compile for the device that a recipe asks for. While a run has the device, it is for that one, whatever the recipe
// says.
func (p *plans) with(ctx context.Context, d *room, r recipe.Recipe, f func(device.Device) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil { // others came first, and nobody waits any more
		return err
	}
	p.accept()
	if (p.dev == nil || p.kept != choiceOf(r)) && d.busy.TryLock() {
		_, err := d.take(ctx, r)
		d.busy.Unlock()
		if err != nil {
			return err
		}
		p.accept()
	}
	if p.dev == nil {
		p.dev, p.kept = cpu.New(0), choice{}
	}
	return f(p.dev)
}

func (p *plans) drop() {
	if p.dev != nil {
		p.dev.Close()
		p.dev = nil
	}
}

func (p *plans) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accept()
	p.drop()
}
