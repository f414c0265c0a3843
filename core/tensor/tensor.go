// Package tensor names what numbers are made of: element types, shapes, and tensors that lie in host memory.
// It computes nothing; devices and operators do.
package tensor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// DType is the type of a tensor's elements.
type DType uint8

const (
	Invalid DType = iota
	F32           // IEEE 754 binary32
	F16           // IEEE 754 binary16
	BF16          // the upper half of binary32
	I32           // signed 32-bit integer: token ids, labels, positions, segments
	U8            // raw bytes
	NF4           // 4-bit NormalFloat with double quantisation; its byte layout is quant.NF4
)

var dtypeNames = [...]string{"invalid", "F32", "F16", "BF16", "I32", "U8", "NF4"}

// String gives the name that safetensors uses, where it has one.
func (d DType) String() string {
	if int(d) < len(dtypeNames) {
		return dtypeNames[d]
	}
	return "DType(" + strconv.Itoa(int(d)) + ")"
}

// Size is the number of bytes of one element. NF4 has no whole number of bytes an element; Size is 0 for it.
func (d DType) Size() int {
	switch d {
	case F32, I32:
		return 4
	case F16, BF16:
		return 2
	case U8:
		return 1
	}
	return 0
}

// Shape lists the lengths of a tensor's axes, outermost first. An empty shape is a scalar.
type Shape []int

// Elements is the product of the lengths.
func (s Shape) Elements() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Equal reports whether both shapes have the same axes.
func (s Shape) Equal(o Shape) bool { return slices.Equal(s, o) }

func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = strconv.Itoa(d)
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// Type is what a program knows of a tensor before it has any values.
type Type struct {
	DType DType `json:"dtype"`
	Shape Shape `json:"shape"`
}

// Of makes a Type.
func Of(d DType, shape ...int) Type { return Type{d, shape} }

// Equal reports whether element type and shape agree.
func (t Type) Equal(o Type) bool { return t.DType == o.DType && t.Shape.Equal(o.Shape) }

// Elements is the number of elements.
func (t Type) Elements() int { return t.Shape.Elements() }

// Bytes is what the tensor takes when its elements lie densely in row-major order.
// NF4 counts codes (two a byte), 8-bit block scales (one in 64 elements), their float32 scales (one in 256 blocks) and the offset.
func (t Type) Bytes() int64 {
	n := int64(t.Elements())
	if t.DType == NF4 {
		blocks := (n + 63) / 64
		return (n+1)/2 + blocks + 4*((blocks+255)/256) + 4
	}
	return n * int64(t.DType.Size())
}

func (t Type) String() string { return t.DType.String() + t.Shape.String() }

// Host is a tensor in host memory, row-major. Exactly one of the slices is set, by Type.DType:
// F32 for F32, I32 for I32, Bytes (little-endian) for all others.
type Host struct {
	Type  Type
	F32   []float32
	I32   []int32
	Bytes []byte
}

// Floats wraps values as an F32 tensor; it panics when their number does not fit the shape.
func Floats(v []float32, shape ...int) Host {
	h := Host{Type: Of(F32, shape...), F32: v}
	h.mustFit(len(v))
	return h
}

// Ints wraps values as an I32 tensor; it panics when their number does not fit the shape.
func Ints(v []int32, shape ...int) Host {
	h := Host{Type: Of(I32, shape...), I32: v}
	h.mustFit(len(v))
	return h
}

func (h Host) mustFit(n int) {
	if n != h.Type.Elements() {
		panic(fmt.Sprintf("tensor: %d values for a tensor of type %v", n, h.Type))
	}
}
