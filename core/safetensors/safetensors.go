// Package safetensors reads and writes tensors in the safetensors format (github.com/huggingface/safetensors): eight bytes
// of header length, little-endian; a JSON header that gives every tensor's dtype, shape and place; then the data, without
// holes. It checks a file as strictly as the reference implementation does and reads tensors by pieces, so that a model
// never has to lie in memory.
package safetensors

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"hone/core/tensor"
)

// Info describes one tensor of a file.
type Info struct {
	Name   string
	DType  string       // the format's own name: F32, BF16, U8, …
	Shape  tensor.Shape // row-major, outermost first; empty for a scalar
	Offset int64        // of the first byte, counted from the start of the file
	Bytes  int64        // length of the data
}

// dtypeBits is the width of one element for every dtype of the format. Types of less than a byte are packed.
var dtypeBits = map[string]uint64{
	"F4":      4,
	"F6_E2M3": 6, "F6_E3M2": 6,
	"BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
	"I16": 16, "U16": 16, "F16": 16, "BF16": 16,
	"I32": 32, "U32": 32, "F32": 32,
	"I64": 64, "U64": 64, "F64": 64, "C64": 64,
}

// knownDTypes lists them for error messages.
func knownDTypes() string {
	names := make([]string, 0, len(dtypeBits))
	for n := range dtypeBits {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// dataBytes is what a tensor of this dtype and shape takes.
func dataBytes(dtype string, shape tensor.Shape) (int64, error) {
	width, ok := dtypeBits[dtype]
	if !ok {
		return 0, fmt.Errorf("unknown dtype %.40q; the format has %s", dtype, knownDTypes())
	}
	n := uint64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %s has a negative length", brief(shape))
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 {
			return 0, fmt.Errorf("shape %s has more elements than can be counted", brief(shape))
		}
		n = lo
	}
	hi, lo := bits.Mul64(n, width)
	if hi != 0 || n > math.MaxInt64 {
		return 0, fmt.Errorf("shape %s of %s takes more bytes than can be counted", brief(shape), dtype)
	}
	if lo%8 != 0 {
		return 0, fmt.Errorf("shape %s of %s does not fill whole bytes", brief(shape), dtype)
	}
	return int64(lo / 8), nil
}

// brief keeps the shape of a hostile file from filling the screen.
func brief(s tensor.Shape) string {
	if len(s) > 8 {
		return fmt.Sprintf("%v… (%d axes)", s[:8], len(s))
	}
	return s.String()
}
