package quant

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"hone/core/tensor"
)

// The serialised form of an NF4 weight, in which devices receive it. Numbers are little-endian; the shape goes beside it.
//
//	4 bytes           "NF4" and a byte of flags: bit 0 set when a map follows at the end, bit 1 when the block scales are not
//	                  quantised; the other bits are 0
//	(elements+1)/2    codes
//	blocks            absmax
//	4 × nested        nested absmax, float32
//	4                 offset, float32
//	4 × 256           the map, float32; only with flag bit 0, otherwise it is DefaultMap
//
// With bit 1 there are 4 × blocks bytes of block scales, float32, behind the codes and nothing else.
const (
	magic     = "NF4"
	flagMap   = 1
	flagPlain = 2
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
	n, err := io.Copy(w, q.Stream().Reader)
	if err != nil {
		return n, fmt.Errorf("writing an NF4 weight of shape %v: %w", q.Shape, err)
	}
	return n, nil
}

// Stream reads the serialised form of a weight. Whoever can use the weight as it lies in memory takes Weight instead of
// reading, and no copy is made.
type Stream struct {
	io.Reader
	Weight *NF4
}

// Stream begins to read the serialised form.
func (q *NF4) Stream() *Stream {
	flags, numbers := byte(0), append(slices.Clone(q.NestedAbsmax), q.Offset)
	switch {
	case q.Plain != nil:
		flags, numbers = flagPlain, q.Plain
	case q.ownMap():
		flags, numbers = flagMap, append(numbers, q.Map[:]...)
	}
	tail := make([]byte, 0, 4*len(numbers))
	for _, x := range numbers {
		tail = binary.LittleEndian.AppendUint32(tail, math.Float32bits(x))
	}
	head := append([]byte(magic), flags)
	return &Stream{io.MultiReader(bytes.NewReader(head), bytes.NewReader(q.Codes), bytes.NewReader(q.Absmax), bytes.NewReader(tail)), q}
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
	if string(head[:len(magic)]) != magic || flags > flagPlain {
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
	if flags == flagPlain {
		raw, err := readPart(r, 4*s.blocks, "block scales")
		if err != nil {
			return nil, err
		}
		q.Map, q.Plain = nil, floats(raw)
		return q, q.checkScales(s)
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
