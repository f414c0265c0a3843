package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"unicode/utf8"

	"hone/core/quant"
	"hone/core/tensor"
)

// Bounds of what a header may ask for, far above any model, so that a hostile one ends early.
const (
	maxHeader  = 512 << 20 // bytes of metadata and tensor list; the largest vocabularies take some 10 MB
	maxTensors = 1 << 17
	maxPairs   = 1 << 16
	maxAxes    = 4
	maxString  = 64 << 20
)

// Info describes a tensor in a file.
type Info struct {
	Name   string
	Type   Type
	Shape  tensor.Shape // row-major, outermost first
	offset int64        // in the file
	bytes  int64
}

// File is an open GGUF file: metadata in memory, tensors read when they are asked for.
type File struct {
	Metadata []Pair
	Tensors  []Info
	name     string
	r        io.ReaderAt
	closer   io.Closer
	index    map[string]int
	keys     map[string]any
}

// Open opens a file and reads its header.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		var g *File
		if g, err = NewReader(f, info.Size(), path); err == nil {
			g.closer = f
			return g, nil
		}
	}
	f.Close()
	return nil, err
}

// NewReader reads the header of a file of the given size; name is for messages.
func NewReader(r io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{name: name, r: r, index: map[string]int{}, keys: map[string]any{}}
	if err := f.readHeader(size); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Value finds an entry of the metadata; nil when there is none.
func (f *File) Value(key string) any { return f.keys[key] }

// Lookup finds a tensor.
func (f *File) Lookup(name string) (Info, bool) {
	i, ok := f.index[name]
	if !ok {
		return Info{}, false
	}
	return f.Tensors[i], true
}

// ReadF32 reads a whole tensor as float32, quantised ones dequantised.
func (f *File) ReadF32(name string, dst []float32) error {
	t, ok := f.Lookup(name)
	if !ok {
		return fmt.Errorf("%s: there is no tensor %q", f.name, name)
	}
	if n := t.Shape.Elements(); n != len(dst) {
		return fmt.Errorf("%s: tensor %q of shape %v has %d elements, but %d are wanted", f.name, name, t.Shape, n, len(dst))
	}
	l := layouts[t.Type]
	const piece = 1 << 14 // elements; a multiple of every block
	buf := make([]byte, piece/l.elements*l.bytes)
	for at := t.offset; len(dst) > 0; {
		n := min(piece, len(dst))
		b := buf[:n/l.elements*l.bytes]
		if _, err := f.r.ReadAt(b, at); err != nil {
			return fmt.Errorf("%s: tensor %q: %w", f.name, name, err)
		}
		values(dst[:n], t.Type, b)
		dst, at = dst[n:], at+int64(len(b))
	}
	return nil
}

func values(dst []float32, t Type, b []byte) {
	le := binary.LittleEndian
	switch t {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(b[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = tensor.F16ToF32(le.Uint16(b[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = tensor.BF16ToF32(le.Uint16(b[2*i:]))
		}
	case Q8_0:
		quant.FromQ8_0(dst, b)
	case Q4_0:
		quant.FromQ4_0(dst, b)
	}
}

// header reads the numbers and texts of a header, none of it beyond the file's end.
type header struct {
	r    *bufio.Reader
	at   int64
	left int64
	err  error
}

var errShort = errors.New("the file ends within its header; is it cut off?")

// bytes gives the next n bytes; a header cannot ask for memory that the file does not back.
func (h *header) bytes(n uint64) []byte {
	if h.err != nil {
		return nil
	}
	if n > uint64(h.left) {
		h.err = errShort
		return nil
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(h.r, b); err != nil {
		h.err = errShort
		return nil
	}
	h.at, h.left = h.at+int64(n), h.left-int64(n)
	return b
}

func (h *header) u32() uint32 {
	if b := h.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (h *header) u64() uint64 {
	if b := h.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (h *header) text() string {
	n := h.u64()
	if h.err == nil && n > maxString {
		h.err = fmt.Errorf("a text of %d bytes; at most %d are accepted", n, maxString)
	}
	return string(h.bytes(n))
}

func (f *File) readHeader(size int64) error {
	h := &header{r: bufio.NewReaderSize(io.NewSectionReader(f.r, 0, size), 1<<16), left: min(size, maxHeader)}
	if m := h.u32(); h.err != nil || m != magic {
		return errors.New("this is no GGUF file: it does not begin with the letters GGUF")
	}
	if v := h.u32(); h.err == nil && v != 2 && v != version {
		return fmt.Errorf("GGUF version %d; versions 2 and 3 are read", v)
	}
	tensors, pairs := h.u64(), h.u64()
	if h.err == nil && (tensors > maxTensors || pairs > maxPairs) {
		return fmt.Errorf("the header names %d tensors and %d keys; at most %d and %d are accepted", tensors, pairs, maxTensors, maxPairs)
	}
	for range pairs {
		key := h.text()
		value := h.value(h.u32(), true)
		if h.err != nil {
			return fmt.Errorf("key %.200q: %w", key, h.err)
		}
		if _, twice := f.keys[key]; twice || !utf8.ValidString(key) {
			return fmt.Errorf("key %.200q stands twice or is no UTF-8", key)
		}
		f.keys[key] = value
		f.Metadata = append(f.Metadata, Pair{key, value})
	}
	alignment := int64(defaultAlignment)
	if v, given := f.keys["general.alignment"]; given {
		a, ok := v.(uint32)
		if !ok || a == 0 || a%8 != 0 || a > 1<<20 {
			return fmt.Errorf("general.alignment is %v; expected a multiple of 8", v)
		}
		alignment = int64(a)
	}
	for range tensors {
		if err := f.readInfo(h, alignment); err != nil {
			return err
		}
	}
	if h.err != nil {
		return h.err
	}
	data := aligned(h.at, alignment)
	for i := range f.Tensors {
		t := &f.Tensors[i]
		if t.offset += data; t.offset > size || t.bytes > size-t.offset {
			return fmt.Errorf("tensor %.200q reaches beyond the end of the file of %d bytes; is it cut off?", t.Name, size)
		}
	}
	return nil
}

func (f *File) readInfo(h *header, alignment int64) error {
	t := Info{Name: h.text()}
	axes := h.u32()
	if h.err == nil && (axes < 1 || axes > maxAxes) {
		return fmt.Errorf("tensor %.200q has %d axes; 1 to %d are accepted", t.Name, axes, maxAxes)
	}
	elements := int64(1)
	for range axes {
		n := h.u64()
		if h.err != nil {
			break
		}
		if n < 1 || n > math.MaxInt32 || elements > math.MaxInt64/8/int64(n) {
			return fmt.Errorf("tensor %.200q has an axis of %d", t.Name, n)
		}
		elements *= int64(n)
		t.Shape = append(tensor.Shape{int(n)}, t.Shape...)
	}
	t.Type = Type(h.u32())
	offset := h.u64()
	if h.err != nil {
		return h.err
	}
	var err error
	if t.bytes, err = t.Type.Bytes(t.Shape); err != nil {
		return fmt.Errorf("tensor %.200q: %w", t.Name, err)
	}
	if offset > math.MaxInt64/2 || int64(offset)%alignment != 0 {
		return fmt.Errorf("tensor %.200q begins at %d, no multiple of the alignment %d", t.Name, offset, alignment)
	}
	t.offset = int64(offset)
	if _, twice := f.index[t.Name]; twice {
		return fmt.Errorf("tensor %.200q stands twice", t.Name)
	}
	f.index[t.Name] = len(f.Tensors)
	f.Tensors = append(f.Tensors, t)
	return nil
}

// value reads a metadata value; arrays of arrays, which no model has, are refused.
func (h *header) value(kind uint32, arrays bool) any {
	switch kind {
	case typeUint8:
		return number[uint8](h)
	case typeInt8:
		return number[int8](h)
	case typeUint16:
		return number[uint16](h)
	case typeInt16:
		return number[int16](h)
	case typeUint32:
		return number[uint32](h)
	case typeInt32:
		return number[int32](h)
	case typeFloat32:
		return number[float32](h)
	case typeUint64:
		return number[uint64](h)
	case typeInt64:
		return number[int64](h)
	case typeFloat64:
		return number[float64](h)
	case typeBool:
		return number[uint8](h) != 0
	case typeString:
		return h.text()
	case typeArray:
		if arrays {
			return h.array()
		}
	}
	if h.err == nil {
		h.err = fmt.Errorf("a value of the unknown type %d", kind)
	}
	return nil
}

func number[T any](h *header) (v T) {
	if b := h.bytes(uint64(binary.Size(v))); b != nil {
		binary.Decode(b, binary.LittleEndian, &v) // as many bytes as the type has: cannot fail
	}
	return v
}

func (h *header) array() any {
	kind, n := h.u32(), h.u64()
	switch kind {
	case typeUint8:
		return numbers[uint8](h, n)
	case typeInt8:
		return numbers[int8](h, n)
	case typeUint16:
		return numbers[uint16](h, n)
	case typeInt16:
		return numbers[int16](h, n)
	case typeUint32:
		return numbers[uint32](h, n)
	case typeInt32:
		return numbers[int32](h, n)
	case typeFloat32:
		return numbers[float32](h, n)
	case typeUint64:
		return numbers[uint64](h, n)
	case typeInt64:
		return numbers[int64](h, n)
	case typeFloat64:
		return numbers[float64](h, n)
	case typeBool:
		var out []bool
		for _, v := range h.bytes(n) {
			out = append(out, v != 0)
		}
		return out
	case typeString:
		var out []string
		for i := uint64(0); i < n && h.err == nil; i++ {
			out = append(out, h.text())
		}
		return out
	}
	if h.err == nil {
		h.err = fmt.Errorf("an array of the unknown type %d", kind)
	}
	return nil
}

func numbers[T any](h *header, n uint64) []T {
	var one T
	size := uint64(binary.Size(one))
	if h.err == nil && n > uint64(h.left)/size {
		h.err = errShort
	}
	b := h.bytes(n * size)
	if h.err != nil {
		return nil
	}
	out := make([]T, n)
	binary.Decode(b, binary.LittleEndian, out) // as many bytes as the numbers have: cannot fail
	return out
}
