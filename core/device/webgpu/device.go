// Package webgpu is the device that lowers a program to WGSL kernels: natively through wgpu over Vulkan (cgo), in the
// browser through navigator.gpu. Both share one lowering; what differs stands behind the driver interface. A program
// becomes a flat list of dispatches over planned buffers, made once and replayed at every run.
package webgpu

import (
	"context"
	"fmt"
	"io"

	"hone/core/device"
	"hone/core/ir"
	"hone/core/tensor"
	"hone/shaders"
)

// Device is one GPU (or a software adapter). Like every device it is used from one goroutine at a time.
type Device struct {
	drv       driver
	about     adapter
	pipelines map[string]pipelineID
	sizes     device.Pool // of the temporaries that programs share
	temps     []temporary // made when a program that needs them first runs
	remade    int         // how often one of them was made: bind groups made before are stale

	// submissionFLOPs is how much work one submission may be. Watchdogs kill at two seconds or five; a tenth of a
	// second is meant, on the slowest adapter that is worth running on.
	submissionFLOPs int64
}

type temporary struct {
	buffer bufferID
	bytes  int64
}

// Open finds the machine's preferred adapter.
func Open(ctx context.Context) (*Device, error) {
	drv, err := openDriver(ctx)
	if err != nil {
		return nil, err
	}
	return &Device{drv: drv, about: drv.adapter(), pipelines: map[string]pipelineID{}, submissionFLOPs: 200e6}, nil
}

// Caps describes the adapter.
func (d *Device) Caps() device.Caps {
	return device.Caps{Name: d.about.name, Kind: "webgpu", Variant: "registers"}
}

// Close releases everything on the device.
func (d *Device) Close() error { return d.drv.close() }

// Compile lowers a program. It makes the pipelines but no buffers.
func (d *Device) Compile(_ context.Context, g *ir.Graph) (device.Exec, error) {
	if err := d.drv.lost(); err != nil {
		return nil, err
	}
	p, err := d.lower(g)
	if err != nil {
		return nil, err
	}
	return newExec(d, g, p), nil
}

// pipeline compiles a kernel, or finds it compiled.
func (d *Device) pipeline(k kernel) (pipelineID, error) {
	key := k.shader + " " + k.variant.Key()
	if id, ok := d.pipelines[key]; ok {
		return id, nil
	}
	source, err := shaders.Source(k.shader, k.variant)
	if err != nil {
		return 0, fmt.Errorf("webgpu: %w", err)
	}
	kinds := make([]access, len(k.storage))
	for i, o := range k.storage {
		kinds[i] = o.access
	}
	var id pipelineID
	err = d.drv.scope(func() (err error) {
		id, err = d.drv.createPipeline(key, source, kinds)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("%w (kernel %s)", err, key)
	}
	d.pipelines[key] = id
	return id, nil
}

// newBuffer makes a buffer and reports at once when there is no memory for it.
func (d *Device) newBuffer(label string, bytes int64, u usage) (bufferID, error) {
	if bytes > d.about.maxBuffer || u == storage && bytes > d.about.maxBinding {
		return 0, fmt.Errorf("webgpu: %s takes %d bytes in one buffer; %s allows %d, of which a kernel sees %d", label, bytes, d.about.name, d.about.maxBuffer, d.about.maxBinding)
	}
	var id bufferID
	err := d.drv.scope(func() (err error) {
		id, err = d.drv.createBuffer(label, bytes, u)
		return err
	})
	if err != nil && id != 0 {
		d.drv.releaseBuffer(id)
	}
	return id, err
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
			d.drv.releaseBuffer(d.temps[i].buffer)
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

// buffer is a tensor on the device.
type buffer struct {
	d   *Device
	typ tensor.Type
	id  bufferID
}

func (b *buffer) Type() tensor.Type { return b.typ }

func (b *buffer) Release() {
	if b.id != 0 {
		b.d.drv.releaseBuffer(b.id)
		b.id = 0
	}
}

// chunk is how many bytes travel at a time between host and device.
const chunk = 1 << 20

// Upload makes a buffer of type F32 or I32.
func (d *Device) Upload(ctx context.Context, t tensor.Type, r io.Reader) (device.Buffer, error) {
	if t.DType != tensor.F32 && t.DType != tensor.I32 {
		return nil, fmt.Errorf("webgpu: cannot hold a tensor of type %v yet, only F32 and I32", t)
	}
	id, err := d.newBuffer("tensor "+t.String(), t.Bytes(), storage)
	if err != nil {
		return nil, err
	}
	b := &buffer{d, t, id}
	if r == nil {
		return b, nil // WebGPU clears new buffers
	}
	piece := make([]byte, min(t.Bytes(), chunk))
	for at := int64(0); at < t.Bytes(); at += int64(len(piece)) {
		piece = piece[:min(int64(len(piece)), t.Bytes()-at)]
		if err := ctx.Err(); err != nil {
			b.Release()
			return nil, err
		}
		if _, err := io.ReadFull(r, piece); err != nil {
			b.Release()
			return nil, fmt.Errorf("webgpu: upload of %v stopped after %d of %d bytes: %w", t, at, t.Bytes(), err)
		}
		if err := d.drv.write(id, at, piece); err != nil {
			b.Release()
			return nil, err
		}
	}
	return b, nil
}

// Download reads a buffer back through a small one that the host can map.
func (d *Device) Download(ctx context.Context, db device.Buffer, w io.Writer) error {
	b, ok := db.(*buffer)
	if !ok || b.d != d {
		return fmt.Errorf("webgpu: download of a buffer of another device (%T)", db)
	}
	total := b.typ.Bytes()
	piece := make([]byte, min(total, 4*chunk))
	window, err := d.newBuffer("download", int64(len(piece)), readback)
	if err != nil {
		return err
	}
	defer d.drv.releaseBuffer(window)
	for at := int64(0); at < total; at += int64(len(piece)) {
		piece = piece[:min(int64(len(piece)), total-at)]
		n := int64(len(piece))
		id, err := d.drv.record(recording{
			commands: []command{{kind: copyRange, from: binding{b.id, at, n}, to: binding{window, 0, n}}},
			out:      window, outLen: n,
		})
		if err != nil {
			return err
		}
		err = d.drv.replay(ctx, id, nil, piece)
		d.drv.forget(id)
		if err != nil {
			return err
		}
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}
