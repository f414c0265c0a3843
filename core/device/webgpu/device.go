// Package webgpu is the device that lowers a program to WGSL kernels: natively through wgpu over Vulkan (cgo), in the
// browser through navigator.gpu. Both share one lowering; what differs stands behind the driver interface. A program
// becomes a flat list of dispatches over planned buffers, made once and replayed at every run.
package webgpu

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"hone/core/device"
	"hone/core/ir"
	"hone/shaders"
)

// Device is one GPU (or a software adapter). Like every device it is used from one goroutine at a time.
type Device struct {
	drv       driver
	about     adapter
	pipelines map[string]pipelineID
	sizes     device.Pool // of the temporaries that programs share
	temps     []temporary // made when a program that needs them first runs
	programs  int         // that are not closed; with the last one the temporaries go
	remade    int         // how often one of them was made: bind groups made before are stale
	live      map[bufferID]int64
	held      int64 // bytes of the live buffers
	budget    int64 // what they may be, 0 where only the adapter says

	variant         string      // of the kernels: Registers or Tiled
	form            *matmulForm // that all products are to take, in measurements; nil: each its own
	settled         bool        // variant and submissionFLOPs are chosen
	quick, patience int         // runs that were quick in a row, and how many have to be before submissions grow
	submissionFLOPs int64       // how much work one submission may be, to take submissionTime
}

type temporary struct {
	buffer bufferID
	bytes  int64
}

// Options are what a user may ask of the device.
type Options struct {
	Memory  int64 // bytes that all buffers may take together; 0 is no limit but the adapter's
	RealGPU bool  // refuse adapters that compute on the CPU
	// Variant forces the kernels of that name; empty leaves the choice to a measurement.
	Variant string
}

// Open finds the machine's preferred adapter.
func Open(ctx context.Context, o Options) (*Device, error) {
	if err := checkVariant(o.Variant); err != nil {
		return nil, err
	}
	drv, err := openDriver(ctx, o.RealGPU)
	if err != nil {
		return nil, err
	}
	return &Device{drv: drv, about: drv.adapter(), pipelines: map[string]pipelineID{}, live: map[bufferID]int64{}, budget: o.Memory, variant: o.Variant}, nil
}

// Caps describes the adapter. Without a variant forced, the kernels are chosen now; should that fail, so will Compile.
func (d *Device) Caps() device.Caps {
	_ = d.settle(context.Background())
	return device.Caps{Name: d.about.name, Kind: "webgpu", MemoryBudget: d.budget, Variant: d.variant, Halves: true}
}

// Close releases everything on the device.
func (d *Device) Close() error { return d.drv.close() }

// Compile lowers a program. It makes the pipelines but no buffers.
func (d *Device) Compile(ctx context.Context, g *ir.Graph) (device.Exec, error) {
	if err := d.drv.lost(); err != nil {
		return nil, err
	}
	if err := d.settle(ctx); err != nil {
		return nil, err
	}
	p, err := d.lower(g)
	if err != nil {
		return nil, err
	}
	return newExec(d, p), nil
}

// kernelSource is what a pipeline is made of.
type kernelSource struct {
	wgsl    string
	storage []access
}

// pipelinesOf gives a pipeline for each kernel, and compiles those that are not compiled yet.
func (d *Device) pipelinesOf(kernels []kernel) ([]pipelineID, error) {
	keys, missing := make([]string, len(kernels)), map[string]kernelSource{}
	for i, k := range kernels {
		keys[i] = k.shader + " " + k.variant.Key()
		if _, seen := missing[keys[i]]; seen || d.pipelines[keys[i]] != 0 {
			continue
		}
		source, err := shaders.Source(k.shader, k.variant)
		if err != nil {
			return nil, fmt.Errorf("webgpu: %w", err)
		}
		s := kernelSource{source, make([]access, len(k.storage))}
		for j, o := range k.storage {
			s.storage[j] = o.access
		}
		missing[keys[i]] = s
	}
	if err := d.compile(missing); err != nil {
		return nil, err
	}
	ids := make([]pipelineID, len(kernels))
	for i, key := range keys {
		ids[i] = d.pipelines[key]
	}
	return ids, nil
}

// compile makes the pipelines of kernels, by their names, that are not there yet, in one scope.
func (d *Device) compile(kernels map[string]kernelSource) error {
	made := map[string]pipelineID{}
	maps.DeleteFunc(kernels, func(key string, _ kernelSource) bool { return d.pipelines[key] != 0 })
	if len(kernels) == 0 {
		return nil
	}
	err := d.drv.scope(func() (err error) {
		for _, key := range slices.Sorted(maps.Keys(kernels)) {
			if made[key], err = d.drv.createPipeline(key, kernels[key].wgsl, kernels[key].storage); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	maps.Copy(d.pipelines, made)
	return nil
}

// roomError says that memory is short: on the device, or within what the run may use.
type roomError struct{ error }

func noRoom(format string, args ...any) error { return roomError{fmt.Errorf(format, args...)} }

func (e roomError) Unwrap() error { return e.error }

func (e roomError) Is(target error) bool { return target == device.ErrMemory }

// newBuffer makes a buffer and reports at once when there is no memory for it.
func (d *Device) newBuffer(label string, bytes int64, u usage) (bufferID, error) {
	if bytes > d.about.maxBuffer || u == storage && bytes > d.about.maxBinding {
		return 0, fmt.Errorf("webgpu: %s takes %d bytes in one buffer; %s allows %d, of which a kernel sees %d", label, bytes, d.about.name, d.about.maxBuffer, d.about.maxBinding)
	}
	if d.budget > 0 && d.held+bytes > d.budget {
		return 0, noRoom("webgpu: %s asks for %d bytes, this run holds %d on the device, and --device_memory allows %d; raise it, or take shorter or fewer sequences a batch", label, bytes, d.held, d.budget)
	}
	var id bufferID
	err := d.drv.scope(func() (err error) {
		id, err = d.drv.createBuffer(label, bytes, u)
		return err
	})
	if err != nil {
		if id != 0 {
			d.drv.releaseBuffer(id)
		}
		if errors.Is(err, device.ErrLost) {
			return 0, fmt.Errorf("%w (when it was asked for %d bytes for %s)", err, bytes, label)
		}
		return 0, noRoom("webgpu: %s asks for %d bytes, and this run holds %d on the device: %w; take shorter or fewer sequences a batch, or --train_type qlora; where all weights train, --optim paged_adamw", label, bytes, d.held, err)
	}
	d.live[id] = bytes
	d.held += bytes
	return id, nil
}

// releaseBuffer ends a buffer; 0 is none.
func (d *Device) releaseBuffer(id bufferID) {
	if id == 0 {
		return
	}
	d.held -= d.live[id]
	delete(d.live, id)
	d.drv.releaseBuffer(id)
}

// temporaries makes the shared buffers as large as the programs compiled so far need them.
func (d *Device) temporaries() error {
	for i, bytes := range d.sizes.Sizes {
		if i == len(d.temps) {
			d.temps = append(d.temps, temporary{})
		}
		if d.temps[i].bytes >= bytes {
			continue
		}
		if d.temps[i].bytes > 0 {
			d.releaseBuffer(d.temps[i].buffer)
		}
		d.temps[i] = temporary{}
		id, err := d.newBuffer(fmt.Sprintf("temporary %d", i), bytes, storage)
		if err != nil {
			return err
		}
		d.temps[i] = temporary{id, bytes}
		d.remade++
	}
	return nil
}

// tiled reports whether kernels share work in workgroup memory, which is the shape for GPUs.
func (d *Device) tiled() bool { return d.variant == Tiled }
