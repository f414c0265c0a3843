package gguf

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"hone/core/quant"
	"hone/core/tensor"
)

// Tensor is one tensor to be written. Shape is row-major, outermost axis first; the file has it the other way round.
type Tensor struct {
	Name  string
	Type  Type
	Shape tensor.Shape
	// Rows writes the values, row by row, through put: slices whose length is a multiple of the last axis.
	Rows func(put func(values []float32) error) error
}

// Write writes a file. Tensors are converted as they are written, so none is held whole.
func Write(w io.Writer, metadata []Pair, tensors []Tensor) error {
	var head bytes.Buffer
	le := binary.LittleEndian
	u32 := func(v uint32) { head.Write(le.AppendUint32(nil, v)) }
	u64 := func(v uint64) { head.Write(le.AppendUint64(nil, v)) }
	text := func(s string) { u64(uint64(len(s))); head.WriteString(s) }
	u32(magic)
	u32(version)
	u64(uint64(len(tensors)))
	u64(uint64(len(metadata)))
	for _, p := range metadata {
		text(p.Key)
		if err := writeValue(&head, p.Value); err != nil {
			return fmt.Errorf("gguf: key %s: %w", p.Key, err)
		}
	}
	sizes := make([]int64, len(tensors))
	offset := int64(0)
	for i, t := range tensors {
		n, err := t.Type.Bytes(t.Shape)
		if err != nil {
			return fmt.Errorf("gguf: tensor %s: %w", t.Name, err)
		}
		text(t.Name)
		u32(uint32(len(t.Shape)))
		for axis := len(t.Shape) - 1; axis >= 0; axis-- {
			u64(uint64(t.Shape[axis]))
		}
		u32(uint32(t.Type))
		u64(uint64(offset))
		sizes[i] = n
		offset += aligned(n, defaultAlignment)
	}
	head.Write(make([]byte, aligned(int64(head.Len()), defaultAlignment)-int64(head.Len())))
	b := bufio.NewWriterSize(w, 1<<16)
	if _, err := b.Write(head.Bytes()); err != nil {
		return err
	}
	for i, t := range tensors {
		if err := writeTensor(b, t, sizes[i]); err != nil {
			return fmt.Errorf("gguf: tensor %s: %w", t.Name, err)
		}
	}
	return b.Flush()
}

func aligned(n, to int64) int64 { return (n + to - 1) / to * to }

func writeTensor(w io.Writer, t Tensor, size int64) error {
	written, width := int64(0), t.Shape[len(t.Shape)-1]
	var buf []byte
	err := t.Rows(func(values []float32) error {
		if len(values)%width != 0 {
			return fmt.Errorf("%d values are no whole number of rows of %d", len(values), width)
		}
		buf = appendValues(buf[:0], t.Type, values)
		written += int64(len(buf))
		if written > size {
			return fmt.Errorf("more values arrive than its shape %v has", t.Shape)
		}
		_, err := w.Write(buf)
		return err
	})
	if err != nil {
		return err
	}
	if written != size {
		return fmt.Errorf("%d bytes arrive, its shape %v wants %d", written, t.Shape, size)
	}
	_, err = w.Write(make([]byte, aligned(size, defaultAlignment)-size))
	return err
}

func appendValues(dst []byte, t Type, values []float32) []byte {
	switch t {
	case Q8_0:
		return quant.AppendQ8_0(dst, values)
	case Q4_0:
		return quant.AppendQ4_0(dst, values)
	case F16:
		for _, v := range values {
			dst = binary.LittleEndian.AppendUint16(dst, tensor.F32ToF16(v))
		}
		return dst
	case BF16:
		for _, v := range values {
			dst = binary.LittleEndian.AppendUint16(dst, tensor.F32ToBF16(v))
		}
		return dst
	}
	dst, _ = binary.Append(dst, binary.LittleEndian, values) // float32 cannot fail
	return dst
}

// writeValue writes the number of a value's type and the value.
func writeValue(b *bytes.Buffer, v any) error {
	kind, err := kindOf(v)
	if err != nil {
		return err
	}
	put := func(x any) { binary.Write(b, binary.LittleEndian, x) } // into memory: cannot fail
	text := func(s string) { put(uint64(len(s))); b.WriteString(s) }
	put(kind)
	switch x := v.(type) {
	case string:
		text(x)
	case []string:
		put(typeString)
		put(uint64(len(x)))
		for _, s := range x {
			text(s)
		}
	default:
		if kind == typeArray {
			element, n := elementKind(v)
			put(element)
			put(uint64(n))
		}
		put(v)
	}
	return nil
}

func kindOf(v any) (uint32, error) {
	switch v.(type) {
	case uint8:
		return typeUint8, nil
	case int8:
		return typeInt8, nil
	case uint16:
		return typeUint16, nil
	case int16:
		return typeInt16, nil
	case uint32:
		return typeUint32, nil
	case int32:
		return typeInt32, nil
	case float32:
		return typeFloat32, nil
	case bool:
		return typeBool, nil
	case string:
		return typeString, nil
	case uint64:
		return typeUint64, nil
	case int64:
		return typeInt64, nil
	case float64:
		return typeFloat64, nil
	case []string:
		return typeArray, nil
	}
	if _, n := elementKind(v); n >= 0 {
		return typeArray, nil
	}
	return 0, fmt.Errorf("a %T is no value of metadata", v)
}

// elementKind is the type of a slice's elements and their number, -1 for what is no slice.
func elementKind(v any) (uint32, int) {
	switch x := v.(type) {
	case []uint8:
		return typeUint8, len(x)
	case []int8:
		return typeInt8, len(x)
	case []uint16:
		return typeUint16, len(x)
	case []int16:
		return typeInt16, len(x)
	case []uint32:
		return typeUint32, len(x)
	case []int32:
		return typeInt32, len(x)
	case []float32:
		return typeFloat32, len(x)
	case []bool:
		return typeBool, len(x)
	case []uint64:
		return typeUint64, len(x)
	case []int64:
		return typeInt64, len(x)
	case []float64:
		return typeFloat64, len(x)
	}
	return 0, -1
}
