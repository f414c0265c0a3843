package host

import (
	"context"
	"errors"
	"sync"
	"time"

	"hone/core/device"
	"hone/core/recipe"
)

// room is the device and what is loaded on it to be spoken to. Who has it is alone there: a run as long as it goes on, an answer,
// an export.
type room struct {
	open func(ctx context.Context, r recipe.Recipe) (device.Device, error)

	plans *plans

	busy sync.Mutex
	dev  device.Device
	kept choice // what dev was opened for

	speaker *speaker // loaded on dev

	mu    sync.Mutex
	about device.Caps // of the last device that was opened

	forecasts int // so far
}

// known is what the last device was that was opened; the zero value where there was none.
func (d *room) known() device.Caps {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.about
}

// choice is what of a recipe decides about the device.
type choice struct {
	device, variant string
	memory          recipe.Bytes
}

func choiceOf(r recipe.Recipe) choice { return choice{r.Device, r.KernelVariant, r.DeviceMemory} }

// take gives the device that a recipe asks for, open. The caller holds busy.
func (d *room) take(ctx context.Context, r recipe.Recipe) (device.Device, error) {
	if d.dev != nil && d.kept == choiceOf(r) {
		return d.dev, nil
	}
	d.drop()
	dev, err := d.open(ctx, r)
	if err != nil {
		return nil, err
	}
	caps := dev.Caps()
	d.mu.Lock()
	d.about = caps
	d.mu.Unlock()
	d.dev, d.kept = dev, choiceOf(r)
	if p, ok := dev.(device.Planner); ok {
		d.plans.offer(p.Planner(), d.kept)
	}
	return dev, nil
}

// drop closes the device with all that lies on it. The caller holds busy.
func (d *room) drop() {
	d.silence()
	if d.dev != nil {
		d.dev.Close()
		d.dev = nil
	}
}

// silence frees what is loaded to be spoken to. The caller holds busy.
func (d *room) silence() {
	if d.speaker != nil {
		d.speaker.close()
		d.speaker = nil
	}
}

// caps are those of the device, which is opened if none was. A run that has the room opens it by itself, and keeps the room.
func (d *room) caps(ctx context.Context) (device.Caps, error) {
	for {
		if caps := d.known(); caps.Kind != "" {
			return caps, nil
		}
		if d.busy.TryLock() {
			break
		}
		select {
		case <-ctx.Done():
			return device.Caps{}, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	defer d.busy.Unlock()
	dev, err := d.take(ctx, recipe.Default())
	if err != nil {
		return device.Caps{}, err
	}
	return dev.Caps(), nil
}

// restTime is how long nothing has to be asked before kernels are compiled ahead of a run.
const restTime = time.Second

// warm compiles the kernels of a forecast once the user rests, so that the run begins sooner: browsers take seconds. A run that begins
// meanwhile waits for what it needs anyway.
func (d *room) warm(planner device.Device, of choice) {
	d.mu.Lock()
	d.forecasts++
	mine := d.forecasts
	d.mu.Unlock()
	time.AfterFunc(restTime, func() {
		d.mu.Lock()
		last := d.forecasts == mine
		d.mu.Unlock()
		if !last || !d.busy.TryLock() {
			return
		}
		defer d.busy.Unlock()
		if w, ok := d.dev.(device.Warmer); ok && d.kept == of {
			_ = w.Warm(planner) // what fails will fail in the run, which says so
		}
	})
}

// name is that of the last device that was opened.
func (d *room) name() string { return d.known().Name }

func (d *room) close() error {
	d.busy.Lock()
	defer d.busy.Unlock()
	d.drop()
	return nil
}

// lose forgets a device that is gone. The caller holds busy.
func (d *room) lose(err error) {
	if errors.Is(err, device.ErrLost) {
		d.drop()
	}
}
