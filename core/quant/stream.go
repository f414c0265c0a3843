package quant

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"hone/core/tensor"
)

// The serialised form of an NF4 weight, in which devices receive it. Numbers are little-endian; the shape goes beside it.
//
//	4 bytes           "NF4" and a byte of flags: bit 0 set when a map follows at the end; the other bits are 0
//	(elements+1)/2    codes
//	blocks            absmax
//	4 × nested        nested absmax, float32
//	4                 offset, float32
//	4 × 256           the map, float32; only with flag bit 0, otherwise it is DefaultMap
const (
	magic   = "NF4"
	flagMap = 1
)

// StreamBytes is how many bytes WriteTo writes.
func (q *NF4) StreamBytes() int64 {
	n := int64(len(magic)) + 1 + q.Bytes()
	if q.ownMap() {
		n += 4 * 256
	}
	return n
}

// WriteTo writes the serialised form.
func (q *NF4) WriteTo(w io.Writer) (int64, error) {
	out := counter{w: w}
	flags := byte(0)
	if q.ownMap() {
		flags |= flagMap
	}
	out.write(append([]byte(magic), flags))
	out.write(q.Codes)
	out.write(q.Absmax)
	out.floats(q.NestedAbsmax)
	out.floats([]float32{q.Offset})
	if flags&flagMap != 0 {
		out.floats(q.Map[:])
	}
	if out.err != nil {
		return out.n, fmt.Errorf("writing an NF4 weight of shape %v: %w", q.Shape, out.err)
	}
	return out.n, nil
}

// counter writes until the first error.
type counter struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counter) write(b []byte) {
	if c.err != nil || len(b) == 0 {
		return
	}
	n, err := c.w.Write(b)
	c.n += int64(n)
	c.err = err
}

func (c *counter) floats(v []float32) {
	const most = 4096
	buf := make([]byte, 0, 4*min(len(v), most))
	for len(v) > 0 {
		n := min(len(v), most)
		buf = buf[:0]
		for _, x := range v[:n] {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
		}
		c.write(buf)
		v = v[n:]
	}
}

// ReadNF4 reads the serialised form of a weight of this shape and not a byte more. Memory grows with what arrives, not with what the
// shape promises.
func ReadNF4(r io.Reader, shape tensor.Shape) (*NF4, error) {
	q, err := readNF4(r, shape)
	if err != nil {
		return nil, fmt.Errorf("reading an NF4 weight of shape %v: %w", shape[:min(len(shape), 8)], err)
	}
	return q, nil
}

// StreamNF4 is ReadNF4 for a weight whose codes lie elsewhere, such as on a GPU: take is given them as they come, in
// order, in pieces that it may not keep. The result has all but Codes.
func StreamNF4(r io.Reader, shape tensor.Shape, take func(codes []byte) error) (*NF4, error) {
	q, err := streamNF4(r, shape, take)
	if err != nil {
		return nil, fmt.Errorf("reading an NF4 weight of shape %v: %w", shape[:min(len(shape), 8)], err)
	}
	return q, nil
}

func readNF4(r io.Reader, shape tensor.Shape) (*NF4, error) {
	s, err := sizesOf(shape)
	if err != nil {
		return nil, err
	}
	codes := make([]byte, 0, min(s.codes, piece))
	q, err := streamNF4(r, shape, func(p []byte) error {
		if len(codes)+len(p) > cap(codes) { // doubled, but never beyond what the shape needs
			codes = append(make([]byte, 0, min(s.codes, 2*len(codes)+len(p))), codes...)
		}
		codes = append(codes, p...)
		return nil
	})
	if err == nil {
		q.Codes = codes
	}
	return q, err
}

// piece is how many bytes of codes are read at a time.
const piece = 1 << 20

func streamNF4(r io.Reader, shape tensor.Shape, take func(codes []byte) error) (*NF4, error) {
	s, err := sizesOf(shape)
	if err != nil {
		return nil, err
	}
	head, err := readPart(r, len(magic)+1, "header")
	if err != nil {
		return nil, err
	}
	flags := head[len(magic)]
	if string(head[:len(magic)]) != magic || flags&^flagMap != 0 {
		return nil, fmt.Errorf("it begins with % x, not with %q and known flags; it comes from another program or a newer version", head, magic)
	}
	q := &NF4{Shape: append(tensor.Shape{}, shape...), Map: DefaultMap}
	p := make([]byte, min(s.codes, piece))
	for at := 0; at < s.codes; at += len(p) {
		p = p[:min(len(p), s.codes-at)]
		got, err := io.ReadFull(r, p)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("it ends %d bytes too early, in its codes: %w", s.codes-at-got, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return nil, fmt.Errorf("codes: %w", err)
		}
		if err := take(p); err != nil {
			return nil, err
		}
	}
	if q.Absmax, err = readPart(r, s.blocks, "block scales"); err != nil {
		return nil, err
	}
	rest, err := readPart(r, 4*s.nested+4, "nested scales and offset")
	if err != nil {
		return nil, err
	}
	q.NestedAbsmax = floats(rest[:4*s.nested])
	q.Offset = floats(rest[4*s.nested:])[0]
	if flags&flagMap != 0 {
		b, err := readPart(r, 4*256, "map")
		if err != nil {
			return nil, err
		}
		q.setMap((*[256]float32)(floats(b)))
	}
	return q, q.checkScales(s)
}

// setMap keeps DefaultMap shared when a checkpoint brings the same values.
func (q *NF4) setMap(m *[256]float32) {
	q.Map = m
	if *m == *DefaultMap {
		q.Map = DefaultMap
	}
}

// readPart reads exactly n bytes, in pieces that double, so that a false length costs no more memory than the data that comes.
func readPart(r io.Reader, n int, what string) ([]byte, error) {
	b := make([]byte, 0, min(n, 1<<20))
	for len(b) < n {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(n, 2*len(b))), b...)
		}
		got, err := io.ReadFull(r, b[len(b):cap(b)])
		b = b[:len(b)+got]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("it ends %d bytes too early, in its %s: %w", n-len(b), what, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
	}
	return b, nil
}

func floats(b []byte) []float32 {
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}
