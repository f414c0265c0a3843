// Package cpu is the device that every machine has. It interprets a compiled program node by node: operators with a
// fast version here use it (package kernel has the loops), all others run their reference kernel, cut into pieces for
// the threads. No result depends on the number of threads.
package cpu

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"runtime"

	"hone/core/device"
	"hone/core/device/cpu/kernel"
	"hone/core/ir"
	"hone/core/quant"
	"hone/core/tensor"
)

// Device is the CPU of this machine.
type Device struct {
	pool     *kernel.Pool
	tile     []float32 // scratch for packing: one panel of the widest weight so far
	halfTile []uint16  // the same in 16 bits

	rows     []int32   // scratch of linear_cross_entropy: rows with a target
	gathered []float32 // and their hidden states

	decoded []float32                                  // columns of an NF4 weight, in panels
	tiles   [][kernel.PanelWidth * decodeTerms]float32 // a worker's rows of one on their way there
	scratch []float32                                  // of one operator: a number a row
	sums    []float64                                  // of sum_squares: a sum a piece
	rope    ropeTable

	sizes    device.Pool // bytes of the shared temporaries
	temps    [][]float32 // the shared temporaries themselves, made when first needed
	quiet    func()      // ends the pool's rests
	programs int         // that are not closed; with the last one the temporaries go
}

// New opens the CPU with that many threads; 0 is one for each core that the process may use.
func New(threads int) *Device {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	d := &Device{pool: kernel.NewPool(threads)}
	d.pool.Rest, d.quiet = breathing()
	return d
}

// Planner gives another device with as many threads; nothing of it runs until a program does.
func (d *Device) Planner() device.Device { return New(d.pool.Workers()) }

// Caps describes the device.
func (d *Device) Caps() device.Caps {
	variant := kernel.Active().String()
	return device.Caps{Name: fmt.Sprintf("CPU, %d threads, %s", d.pool.Workers(), variant), Kind: "cpu", Threads: d.pool.Workers(),
		MemoryBudget: AvailableMemory(), Variant: variant, HostMemory: true, Halves: true}
}

// Close ends the threads.
func (d *Device) Close() error {
	d.pool.Close()
	d.quiet()
	d.temps = nil
	return nil
}

// buffer holds a tensor: exactly one of f, h, i, nf4 is set. panels says that f or h is laid out by kernel.PackInPlace.
type buffer struct {
	typ    tensor.Type
	f      []float32
	h      []uint16 // F16, BF16
	i      []int32
	nf4    *quant.NF4
	panels bool
}

func (b *buffer) Type() tensor.Type { return b.typ }
func (b *buffer) Release()          { *b = buffer{typ: b.typ} }

// Bytes is the size of a tensor; the map that block scales are looked up in is the same for all weights.
func (d *Device) Bytes(t tensor.Type, plain bool) int64 {
	if plain && t.DType == tensor.NF4 {
		return t.Bytes() + quant.PlainBytes(t.Shape)
	}
	return t.Bytes()
}

// Upload reads a tensor of element type F32, F16, BF16, I32 or NF4.
func (d *Device) Upload(_ context.Context, t tensor.Type, r io.Reader) (device.Buffer, error) {
	b := &buffer{typ: t}
	n := t.Elements()
	switch t.DType {
	case tensor.F32:
		b.f = make([]float32, n)
	case tensor.F16, tensor.BF16:
		b.h = make([]uint16, n)
	case tensor.I32:
		b.i = make([]int32, n)
	case tensor.NF4:
		if r == nil {
			return nil, fmt.Errorf("cpu: an NF4 buffer needs its values")
		}
	default:
		return nil, fmt.Errorf("cpu: cannot hold a tensor of type %v", t)
	}
	if r == nil {
		return b, nil
	}
	return b, b.fill(r)
}

// fill reads all values of a tensor.
func (b *buffer) fill(r io.Reader) error {
	n := b.typ.Elements()
	switch b.typ.DType {
	case tensor.F32:
		return readChunks(r, n, 4, func(at int, raw []byte) {
			for i := range len(raw) / 4 {
				b.f[at+i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
			}
		})
	case tensor.F16, tensor.BF16:
		return readChunks(r, n, 2, func(at int, raw []byte) {
			for i := range len(raw) / 2 {
				b.h[at+i] = binary.LittleEndian.Uint16(raw[2*i:])
			}
		})
	case tensor.I32:
		return readChunks(r, n, 4, func(at int, raw []byte) {
			for i := range len(raw) / 4 {
				b.i[at+i] = int32(binary.LittleEndian.Uint32(raw[4*i:]))
			}
		})
	}
	if s, ok := r.(*quant.Stream); ok && s.Weight.Shape.Equal(b.typ.Shape) {
		b.nf4 = s.Weight // it lies in this memory already
		return nil
	}
	q, err := quant.ReadNF4(r, b.typ.Shape)
	switch {
	case err != nil:
		return err
	case b.nf4 != nil:
		*b.nf4 = *q // programs are bound to where it lies
	default:
		b.nf4 = q
	}
	return nil
}

// Write gives a buffer other values. A frozen weight keeps the layout that programs are bound to.
func (d *Device) Write(_ context.Context, db device.Buffer, r io.Reader) error {
	b, ok := db.(*buffer)
	if !ok || b.f == nil && b.h == nil && b.i == nil && b.nf4 == nil {
		return fmt.Errorf("cpu: write to a buffer that is released or lies on another device (%T)", db)
	}
	panels := b.panels
	b.panels = false
	err := b.fill(r)
	if panels {
		d.lay(b, true)
	}
	return err
}

// floats is scratch for n numbers, until the next call.
func (d *Device) floats(n int) []float32 {
	if len(d.scratch) < n {
		d.scratch = make([]float32, n)
	}
	return d.scratch[:n]
}

// lay brings a matrix into panels, or back into rows, in its own memory.
func (d *Device) lay(b *buffer, panels bool) {
	out, in := b.typ.Shape[0], b.typ.Shape[1]
	if b.h != nil {
		d.halfTile = layIn(b.h, out, in, panels, d.halfTile)
	} else {
		d.tile = layIn(b.f, out, in, panels, d.tile)
	}
	b.panels = panels
}

func layIn[E float32 | uint16](weight []E, out, in int, panels bool, tile []E) []E {
	if need := in * kernel.PanelWidth; len(tile) < need {
		tile = make([]E, need)
	}
	if panels {
		kernel.PackInPlace(weight, out, in, tile)
	} else {
		kernel.UnpackInPlace(weight, out, in, tile)
	}
	return tile
}

// readChunks reads n elements of the given size, handing them on a piece at a time.
func readChunks(r io.Reader, n, size int, take func(at int, raw []byte)) error {
	chunk := make([]byte, min(n, 1<<16)*size)
	for at := 0; at < n; {
		k := min(n-at, len(chunk)/size)
		if _, err := io.ReadFull(r, chunk[:k*size]); err != nil {
			return fmt.Errorf("cpu: upload stopped after %d of %d elements: %w", at, n, err)
		}
		take(at, chunk[:k*size])
		at += k
	}
	return nil
}

// Download writes a tensor as the bytes that Upload reads.
func (d *Device) Download(_ context.Context, db device.Buffer, w io.Writer) error {
	b := db.(*buffer)
	bw := bufio.NewWriterSize(w, 1<<16)
	var raw [4]byte
	switch {
	case b.nf4 != nil:
		if _, err := b.nf4.WriteTo(bw); err != nil {
			return err
		}
	case b.i != nil:
		for _, x := range b.i {
			binary.LittleEndian.PutUint32(raw[:], uint32(x))
			bw.Write(raw[:])
		}
	case b.h != nil:
		b.eachPlace(len(b.h), func(at int) {
			binary.LittleEndian.PutUint16(raw[:], b.h[at])
			bw.Write(raw[:2])
		})
	default:
		b.eachPlace(len(b.f), func(at int) {
			binary.LittleEndian.PutUint32(raw[:], math.Float32bits(b.f[at]))
			bw.Write(raw[:])
		})
	}
	return bw.Flush() // a bufio.Writer remembers its first error
}

// eachPlace goes through the n elements row by row and tells where each lies.
func (b *buffer) eachPlace(n int, visit func(at int)) {
	if !b.panels {
		for at := range n {
			visit(at)
		}
		return
	}
	out, in := b.typ.Shape[0], b.typ.Shape[1]
	for r := range out { // row r is column r%PanelWidth of its panel
		first := r / kernel.PanelWidth * kernel.PanelWidth
		width := min(kernel.PanelWidth, out-first)
		for i := range in {
			visit(first*in + i*width + r - first)
		}
	}
}

// Compile plans the memory of a program.
func (d *Device) Compile(_ context.Context, g *ir.Graph) (device.Exec, error) {
	for _, n := range g.Nodes {
		if !ir.Source(n.Op) {
			if _, err := ir.Lookup(n.Op); err != nil {
				return nil, fmt.Errorf("cpu: %w", err)
			}
		}
	}
	return newExec(d, g), nil
}
