package safetensors

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"hone/core/tensor"
)

// Tensor is one tensor to be written. Data writes its bytes, little-endian and row-major; it is called once, when its turn comes.
type Tensor struct {
	Name  string
	DType string // the format's own name
	Shape tensor.Shape
	Data  func(w io.Writer) error
}

// Floats is an F32 tensor of these values; they are encoded by small pieces when it is written.
func Floats(name string, v []float32, shape ...int) Tensor {
	return FromHost(name, tensor.Floats(v, shape...))
}

// FromHost is the tensor h under a name. NF4 has no type in this format: a host tensor of it is refused by Write.
func FromHost(name string, h tensor.Host) Tensor {
	t := Tensor{Name: name, DType: h.Type.DType.String(), Shape: h.Type.Shape}
	t.Data = func(w io.Writer) error {
		switch h.Type.DType {
		case tensor.F32:
			return writeWords(w, h.F32, math.Float32bits)
		case tensor.I32:
			return writeWords(w, h.I32, func(v int32) uint32 { return uint32(v) })
		}
		_, err := w.Write(h.Bytes)
		return err
	}
	return t
}

func writeWords[T any](w io.Writer, v []T, bits func(T) uint32) error {
	buf := make([]byte, min(chunk, 4*len(v)))
	for len(v) > 0 {
		n := min(len(v), chunk/4)
		for i, x := range v[:n] {
			binary.LittleEndian.PutUint32(buf[4*i:], bits(x))
		}
		if _, err := w.Write(buf[:4*n]); err != nil {
			return err
		}
		v = v[n:]
	}
	return nil
}

// Write writes tensors and metadata as one safetensors file. The same input gives the same bytes: wide types come first, which
// aligns every tensor, and then names decide. The header is padded with spaces to a multiple of eight bytes.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	sorted := slices.Clone(tensors)
	slices.SortStableFunc(sorted, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(dtypeBits[b.DType], dtypeBits[a.DType]), cmp.Compare(a.Name, b.Name))
	})
	header, sizes, err := buildHeader(sorted, metadata)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(w, chunk)
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(header)))
	if _, err = buffered.Write(length[:]); err == nil {
		_, err = buffered.Write(header)
	}
	if err != nil {
		return fmt.Errorf("writing the safetensors header: %w", err)
	}
	for i, t := range sorted {
		exact := &exactWriter{w: buffered, left: sizes[i]}
		if t.Data != nil {
			err = t.Data(exact)
		}
		if err == nil && exact.left > 0 {
			err = fmt.Errorf("its data has %d bytes, %d fewer than %s%v takes", sizes[i]-exact.left, exact.left, t.DType, t.Shape)
		}
		if err != nil {
			return fmt.Errorf("writing tensor %.200q: %w", t.Name, err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("writing the end of the safetensors data: %w", err)
	}
	return nil
}

// buildHeader lays the tensors out in the given order and describes them in JSON.
func buildHeader(tensors []Tensor, metadata map[string]string) (header []byte, sizes []int64, err error) {
	var b bytes.Buffer
	b.WriteByte('{')
	if len(metadata) > 0 {
		for k, v := range metadata {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, nil, fmt.Errorf("metadata %.200q is not UTF-8", k)
			}
		}
		b.WriteString(`"` + metadataKey + `":`)
		writeJSON(&b, metadata)
	}
	names := make(map[string]bool, len(tensors))
	var at int64
	for _, t := range tensors {
		switch {
		case t.Name == metadataKey:
			return nil, nil, errors.New("a tensor cannot be called " + metadataKey + "; the format keeps that name for itself")
		case names[t.Name]:
			return nil, nil, fmt.Errorf("two tensors are called %.200q", t.Name)
		case !utf8.ValidString(t.Name):
			return nil, nil, fmt.Errorf("the tensor name %.200q is not UTF-8", t.Name)
		}
		names[t.Name] = true
		size, err := dataBytes(t.DType, t.Shape)
		if err == nil && at+size < at {
			err = errors.New("the file would have more bytes than can be counted")
		}
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %.200q: %w", t.Name, err)
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		writeJSON(&b, t.Name)
		b.WriteByte(':')
		writeJSON(&b, struct {
			DType   string   `json:"dtype"`
			Shape   []int    `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}{t.DType, append([]int{}, t.Shape...), [2]int64{at, at + size}})
		at += size
		sizes = append(sizes, size)
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len() > maxHeader {
		return nil, nil, fmt.Errorf("the header would have %d bytes, more than the format's limit of %d; write fewer tensors to a file", b.Len(), maxHeader)
	}
	return b.Bytes(), sizes, nil
}

// writeJSON appends v without the line end and the HTML escapes that json.Encoder adds; maps come sorted by key.
func writeJSON(b *bytes.Buffer, v any) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("safetensors: strings and numbers always encode: " + err.Error())
	}
	b.Truncate(b.Len() - 1)
}

// exactWriter lets through as many bytes as a tensor has and refuses more, so that a wrong source cannot shift its neighbours.
type exactWriter struct {
	w    io.Writer
	left int64
}

func (e *exactWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > e.left {
		return 0, fmt.Errorf("its data is longer than dtype and shape say, by %d bytes or more", int64(len(p))-e.left)
	}
	n, err := e.w.Write(p)
	e.left -= int64(n)
	return n, err
}
