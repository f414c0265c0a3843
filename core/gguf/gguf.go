// Package gguf reads and writes GGUF version 3, the one-file model format of llama.cpp and Ollama: metadata as keys with
// typed values, then tensors. Everything is little-endian. The reference is the document docs/gguf.md of the ggml project.
package gguf

import (
	"fmt"
	"slices"

	"hone/core/quant"
	"hone/core/tensor"
)

const (
	magic            = 0x46554747 // "GGUF"
	version          = 3
	defaultAlignment = 32
)

// Type is how a tensor's elements are written.
type Type uint32

const (
	F32  Type = 0
	F16  Type = 1
	Q4_0 Type = 2 // quant.AppendQ4_0
	Q8_0 Type = 8 // quant.AppendQ8_0
	BF16 Type = 30
)

// layouts are the types that Hone reads and writes: elements and bytes of a block.
var layouts = map[Type]struct {
	name            string
	elements, bytes int
}{
	F32:  {"F32", 1, 4},
	F16:  {"F16", 1, 2},
	BF16: {"BF16", 1, 2},
	Q8_0: {"Q8_0", quant.GGMLBlock, quant.Q8_0Bytes},
	Q4_0: {"Q4_0", quant.GGMLBlock, quant.Q4_0Bytes},
}

func (t Type) String() string {
	if l, ok := layouts[t]; ok {
		return l.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// ParseType finds a type by its name.
func ParseType(name string) (Type, error) {
	var names []string
	for t, l := range layouts {
		if l.name == name {
			return t, nil
		}
		names = append(names, l.name)
	}
	slices.Sort(names)
	return 0, fmt.Errorf("GGUF type %q is not supported; supported are %v", name, names)
}

// Bytes is what a tensor of the shape takes. Blocks lie within rows, the last axis.
func (t Type) Bytes(shape tensor.Shape) (int64, error) {
	l, ok := layouts[t]
	if !ok {
		return 0, fmt.Errorf("%v is not supported", t)
	}
	if n := len(shape); n == 0 || shape[n-1]%l.elements != 0 {
		return 0, fmt.Errorf("a tensor of shape %v cannot be %v: its rows are no whole number of blocks of %d", shape, t, l.elements)
	}
	return int64(shape.Elements()/l.elements) * int64(l.bytes), nil
}

// Pair is one entry of the metadata. Value is a uint8, int8, uint16, int16, uint32, int32, uint64, int64, float32,
// float64, bool, string, or a slice of one of them.
type Pair struct {
	Key   string
	Value any
}

// The numbers that name the types of metadata values.
const (
	typeUint8 uint32 = iota
	typeInt8
	typeUint16
	typeInt16
	typeUint32
	typeInt32
	typeFloat32
	typeBool
	typeString
	typeArray
	typeUint64
	typeInt64
	typeFloat64
)
