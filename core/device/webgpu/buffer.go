package webgpu

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"hone/core/device"
	"hone/core/quant"
	"hone/core/tensor"
)

// buffer is a tensor on the device. A matrix that is larger than what a kernel sees of a buffer lies in several, each
// with a range of its rows. The scales of an NF4 weight lie in a buffer of their own.
type buffer struct {
	d      *Device
	typ    tensor.Type
	shards []bufferID
	scales bufferID // NF4 only
}

func (b *buffer) Type() tensor.Type { return b.typ }

func (b *buffer) Release() {
	for _, id := range append(b.shards, b.scales) {
		b.d.releaseBuffer(id)
	}
	b.shards, b.scales = nil, 0
}

// shardAlign is what the rows of a shard, but for the last, are a multiple of: matmul takes four terms at a time, and a
// shard of NF4 begins with a whole block.
func shardAlign(d tensor.DType) int {
	if d == tensor.NF4 {
		return quant.BlockSize
	}
	return 4
}

// codeBytes is what the elements of a tensor take, without the scales of NF4, in whole words.
func codeBytes(t tensor.Type) int64 {
	if t.DType == tensor.NF4 {
		return roundUp((int64(t.Elements())+1)/2, 4)
	}
	return roundUp(t.Bytes(), 4)
}

// shardRows is how many rows of a matrix one buffer holds; all of them where it is not cut, none where they are too long.
func (d *Device) shardRows(t tensor.Type) int {
	most := min(d.about.maxBinding, d.about.maxBuffer)
	if len(t.Shape) != 2 || codeBytes(t) <= most {
		return max(1, t.Elements())
	}
	align := shardAlign(t.DType)
	return int(most/codeBytes(tensor.Type{DType: t.DType, Shape: tensor.Shape{align, t.Shape[1]}})) * align
}

// shard is a range of the rows of a matrix.
type shard struct{ first, rows int }

// of is the type of the range of a matrix, or of a tensor that is not cut.
func (s shard) of(t tensor.Type) tensor.Type {
	if len(t.Shape) == 2 {
		t.Shape = tensor.Shape{s.rows, t.Shape[1]}
	}
	return t
}

// shardsOf cuts a matrix as it lies on this device: most often into one.
func (d *Device) shardsOf(t tensor.Type) []shard {
	if len(t.Shape) != 2 {
		return []shard{{0, 1}}
	}
	var list []shard
	for at, n := 0, d.shardRows(t); at < t.Shape[0]; at += n {
		list = append(list, shard{at, min(n, t.Shape[0]-at)})
		if n == 0 {
			break
		}
	}
	return list
}

// cuttable checks that a state has a place on the device.
func (d *Device) cuttable(t tensor.Type) error {
	if codeBytes(t) <= min(d.about.maxBinding, d.about.maxBuffer) || d.shardRows(t) > 0 && len(t.Shape) == 2 {
		return nil
	}
	return fmt.Errorf("webgpu: a tensor of type %v: its rows are too long for the %d bytes that a kernel of %s sees", t, d.about.maxBinding, d.about.name)
}

// Words of the scales buffer of an NF4 weight; shaders/weights.wgsl reads them.
const (
	nf4Map      = 0   // 256 values of the map
	nf4Offset   = 256 // the mean of the block scales
	nf4AbsmaxAt = 257 // the word where the 8-bit scales begin, four a word; 0: there are none, and what follows is one float32 a block
	nf4Nested   = 258 // the float32 scales, one for 256 blocks
)

// scaleBytes is what the scales of an NF4 weight take.
func scaleBytes(t tensor.Type, plain bool) int64 {
	blocks := (int64(t.Elements()) + quant.BlockSize - 1) / quant.BlockSize
	if plain {
		return 4 * (nf4Nested + blocks)
	}
	return 4*(nf4Nested+(blocks+quant.NestedSize-1)/quant.NestedSize) + roundUp(blocks, 4)
}

// Bytes is what the buffers of a tensor take.
func (d *Device) Bytes(t tensor.Type, plain bool) int64 {
	var n int64
	for _, s := range d.shardsOf(t) {
		n += max(4, codeBytes(s.of(t)))
	}
	if t.DType == tensor.NF4 {
		n += scaleBytes(t, plain)
	}
	return n
}

// allocate makes the buffers of a tensor, but that of its scales, whose form the values tell.
func (d *Device) allocate(t tensor.Type) (*buffer, error) {
	b := &buffer{d: d, typ: t}
	if err := d.cuttable(t); err != nil {
		return nil, err
	}
	if t.DType == tensor.NF4 && uint64(t.Elements()) > math.MaxUint32 {
		return nil, fmt.Errorf("webgpu: a tensor of type %v has more elements than a kernel counts", t)
	}
	for _, s := range d.shardsOf(t) {
		id, err := d.newBuffer("tensor "+t.String(), max(4, codeBytes(s.of(t))), storage)
		if err != nil {
			b.Release()
			return nil, err
		}
		b.shards = append(b.shards, id)
	}
	return b, nil
}

// sink takes the elements of a tensor, as they follow each other, into its shards.
type sink struct {
	b    *buffer
	ctx  context.Context
	at   int64  // bytes written
	held []byte // up to three that do not make a word yet
}

func (s *sink) write(p []byte) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if len(s.held) > 0 {
		p = append(s.held, p...)
	}
	whole := len(p) &^ 3
	p, s.held = p[:whole], append([]byte(nil), p[whole:]...)
	size := s.b.shardBytes()
	for len(p) > 0 {
		n := min(int64(len(p)), size-s.at%size)
		if err := s.b.d.drv.write(s.b.shards[s.at/size], s.at%size, p[:n]); err != nil {
			return err
		}
		s.at, p = s.at+n, p[n:]
	}
	return nil
}

// end writes what is left, filled up to a word.
func (s *sink) end() error {
	if len(s.held) == 0 {
		return nil
	}
	return s.write(make([]byte, 4-len(s.held)))
}

// shardBytes is the size of all shards but the last.
func (b *buffer) shardBytes() int64 {
	if len(b.shards) == 1 {
		return codeBytes(b.typ)
	}
	return codeBytes(tensor.Type{DType: b.typ.DType, Shape: tensor.Shape{b.d.shardRows(b.typ), b.typ.Shape[1]}})
}

// Upload makes a buffer of the type. NF4 comes in the serialised form of package quant.
func (d *Device) Upload(ctx context.Context, t tensor.Type, r io.Reader) (device.Buffer, error) {
	if t.DType == tensor.Invalid || t.DType == tensor.U8 {
		return nil, fmt.Errorf("webgpu: cannot hold a tensor of type %v", t)
	}
	if t.DType == tensor.NF4 && r == nil {
		return nil, fmt.Errorf("webgpu: an NF4 buffer needs its values")
	}
	b, err := d.allocate(t)
	if err != nil || r == nil {
		return b, err // WebGPU clears new buffers
	}
	if err := b.fill(ctx, r); err != nil {
		b.Release()
		return nil, fmt.Errorf("webgpu: upload of %v: %w", t, err)
	}
	return b, nil
}

// Write gives a buffer other values.
func (d *Device) Write(ctx context.Context, db device.Buffer, r io.Reader) error {
	b, err := d.own(db)
	if err != nil {
		return fmt.Errorf("webgpu: write to %w", err)
	}
	if err := b.fill(ctx, r); err != nil {
		return fmt.Errorf("webgpu: write of %v: %w", b.typ, err)
	}
	return nil
}

// own finds the buffer that this device gave out.
func (d *Device) own(db device.Buffer) (*buffer, error) {
	b, ok := db.(*buffer)
	if !ok || b.d != d || len(b.shards) == 0 {
		return nil, fmt.Errorf("a buffer that is released or lies on another device (%T)", db)
	}
	return b, nil
}

// fill reads all values of a tensor.
func (b *buffer) fill(ctx context.Context, r io.Reader) error {
	s := &sink{b: b, ctx: ctx}
	read := pieces
	if b.typ.DType == tensor.NF4 {
		read = nf4Pieces
	}
	if err := read(r, s); err != nil {
		return err
	}
	return s.end()
}

// chunk is how many bytes travel at a time between host and device.
const chunk = 1 << 20

// pieces reads the bytes of a tensor.
func pieces(r io.Reader, s *sink) error {
	total := s.b.typ.Bytes()
	piece := make([]byte, min(total, chunk))
	for at := int64(0); at < total; at += int64(len(piece)) {
		piece = piece[:min(int64(len(piece)), total-at)]
		if _, err := io.ReadFull(r, piece); err != nil {
			return fmt.Errorf("stopped after %d of %d bytes: %w", at, total, err)
		}
		if err := s.write(piece); err != nil {
			return err
		}
	}
	return nil
}

// nf4Pieces sends the codes on as they come, and the scales behind them.
func nf4Pieces(r io.Reader, s *sink) error {
	q, err := quant.StreamNF4(r, s.b.typ.Shape, s.write)
	if err != nil {
		return err
	}
	return s.b.putScales(q)
}

// putScales writes the scales of a weight, into a buffer that is made for their form.
func (b *buffer) putScales(q *quant.NF4) error {
	bytes := scaleBytes(b.typ, q.Plain != nil)
	if b.scales == 0 || b.d.live[b.scales] != bytes {
		if b.scales != 0 {
			return fmt.Errorf("the scales of %v have another form than those before", b.typ) // programs are bound to their buffer
		}
		id, err := b.d.newBuffer("scales of "+b.typ.String(), bytes, storage)
		if err != nil {
			return err
		}
		b.scales = id
	}
	words := make([]uint32, nf4Nested, bytes/4)
	if q.Plain == nil {
		m := q.Map
		if m == nil {
			m = quant.DefaultMap
		}
		for i, x := range m {
			words[nf4Map+i] = math.Float32bits(x)
		}
		words[nf4Offset], words[nf4AbsmaxAt] = math.Float32bits(q.Offset), uint32(nf4Nested+len(q.NestedAbsmax))
	}
	for _, x := range append(q.NestedAbsmax, q.Plain...) { // one of them is empty
		words = append(words, math.Float32bits(x))
	}
	p := make([]byte, 0, bytes)
	for _, w := range words {
		p = binary.LittleEndian.AppendUint32(p, w)
	}
	p = append(p, q.Absmax...)
	return b.d.drv.write(b.scales, 0, append(p, make([]byte, bytes-int64(len(p)))...))
}

// Download reads a buffer back.
func (d *Device) Download(ctx context.Context, db device.Buffer, w io.Writer) error {
	b, err := d.own(db)
	if err != nil {
		return fmt.Errorf("webgpu: download of %w", err)
	}
	if b.typ.DType == tensor.NF4 {
		return d.downloadNF4(ctx, b, w)
	}
	return d.downloadCodes(ctx, b, b.typ.Bytes(), w)
}

func (d *Device) downloadCodes(ctx context.Context, b *buffer, bytes int64, w io.Writer) error {
	size := b.shardBytes()
	for i, id := range b.shards {
		if err := d.read(ctx, id, min(size, bytes-int64(i)*size), w); err != nil {
			return err
		}
	}
	return nil
}

// downloadNF4 puts the serialised form together again.
func (d *Device) downloadNF4(ctx context.Context, b *buffer, w io.Writer) error {
	if b.scales == 0 {
		return fmt.Errorf("webgpu: download of %v, whose upload failed", b.typ)
	}
	blocks := (b.typ.Elements() + quant.BlockSize - 1) / quant.BlockSize
	nested := (blocks + quant.NestedSize - 1) / quant.NestedSize
	var scales, codes gathered
	if err := d.read(ctx, b.scales, d.live[b.scales], &scales); err != nil {
		return err
	}
	if err := d.downloadCodes(ctx, b, int64(b.typ.Elements()+1)/2, &codes); err != nil {
		return err
	}
	word := func(i int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(scales[4*i:])) }
	q := &quant.NF4{Shape: b.typ.Shape, Codes: codes}
	if binary.LittleEndian.Uint32(scales[4*nf4AbsmaxAt:]) == 0 {
		for i := range blocks {
			q.Plain = append(q.Plain, word(nf4Nested+i))
		}
	} else {
		q.Absmax, q.Offset, q.Map = scales[4*(nf4Nested+nested):][:blocks], word(nf4Offset), new([256]float32)
		for i := range q.Map {
			q.Map[i] = word(nf4Map + i)
		}
		for i := range nested {
			q.NestedAbsmax = append(q.NestedAbsmax, word(nf4Nested+i))
		}
	}
	_, err := q.WriteTo(w)
	return err
}

type gathered []byte

func (g *gathered) Write(p []byte) (int, error) { *g = append(*g, p...); return len(p), nil }

// read brings the first bytes of a buffer to the host, through a small one that the host can map.
func (d *Device) read(ctx context.Context, from bufferID, total int64, w io.Writer) error {
	piece := make([]byte, roundUp(min(total, 4*chunk), 4))
	window, err := d.newBuffer("download", int64(len(piece)), readback)
	if err != nil {
		return err
	}
	defer d.releaseBuffer(window)
	for at := int64(0); at < total; at += int64(len(piece)) {
		n := min(int64(len(piece)), total-at)
		piece = piece[:roundUp(n, 4)]
		id, err := d.drv.record(recording{
			commands: []command{{kind: copyRange, from: binding{from, at, int64(len(piece))}, to: binding{window, 0, int64(len(piece))}}},
			out:      window, outLen: int64(len(piece)),
		})
		if err != nil {
			return err
		}
		_, err = d.drv.replay(ctx, id, nil, piece)
		d.drv.forget(id)
		if err != nil {
			return err
		}
		if _, err := w.Write(piece[:n]); err != nil {
			return err
		}
	}
	return nil
}
