package devicetest

import (
	"encoding/binary"
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// HalfCases are those with frozen matrices in F16 and BF16, for a device whose Caps say that it keeps them. Their
// values are exact in 16 bits, so the tolerances are those of the same operators in F32.
func HalfCases() []Case {
	var cases []Case
	for _, t := range []tensor.DType{tensor.F16, tensor.BF16} {
		for _, s := range [][3]int{{9, 7, 68}, {64, 64, 64}, {65, 33, 31}, {66, 130, 70}, {1, 1, 1}, {1, 64, 3}, {1, 129, 72}, {3, 5, 7}, {8, 3, 1}, {2, 515, 129}} {
			m, k, n := s[0], s[1], s[2]
			name := func(what string) string { return fmt.Sprintf("%s %dx%dx%d, weight in %v", what, m, k, n, t) }
			cases = append(cases,
				newCase(name("matmul"), matMulTolerance, func(d *draft) {
					d.Output("y", op.MatMul(d.Builder, d.feed("x", 1, m, k), d.half("w", t, k, k, n), d.feed("c", 1, m, n), op.Orientation{}, -0.75))
				}),
				newCase(name("matmul transposed"), matMulTolerance, func(d *draft) { // forward and backward of a frozen layer
					w := d.half("w", t, k, n, k)
					d.Output("y", op.Linear(d.Builder, d.feed("x", 1, m, k), w))
					d.Output("dx", op.MatMul(d.Builder, d.feed("dy", math.Sqrt(float64(k)/float64(n)), m, n), w, ir.None, op.Orientation{}, 1))
				}),
				newCase(name("embedding"), 0, func(d *draft) {
					ids := make([]int32, m)
					for i := range ids {
						ids[i] = int32(i*i+n)%int32(n+1) - 1 // some are -1
					}
					d.c.Feeds["ids"] = tensor.Ints(ids, m)
					d.Output("y", op.Embedding(d.Builder, d.half("w", t, 1, n, k), d.Feed("ids", d.c.Feeds["ids"].Type)))
				}),
				newCase(name("linear_cross_entropy"), crossEntropyTolerance, func(d *draft) {
					targets := make([]int32, m)
					for i := range targets {
						if targets[i] = int32(i*7) % int32(n); i%3 == 2 {
							targets[i] = op.NoTarget
						}
					}
					d.c.Feeds["targets"] = tensor.Ints(targets, m)
					h := d.state("h", 1, m, k)
					nll := op.LinearCrossEntropy(d.Builder, h, d.half("w", t, k, n, k), d.Feed("targets", d.c.Feeds["targets"].Type))
					d.Output("nll", nll)
					d.Output("dh", d.Grad(op.Sum(d.Builder, nll), []ir.Value{h})[0])
				}))
		}
	}
	return cases
}

// crossEntropyTolerance allows for the exponentials of the softmax.
const crossEntropyTolerance = 3e-5

// half is a frozen matrix in 16 bits, by which a product with rows of length in keeps their size. Every hundredth value
// is below the normal numbers of F16.
func (d *draft) half(name string, t tensor.DType, in int, shape ...int) ir.Value {
	h := tensor.Host{Type: tensor.Of(t, shape...)}
	for i, x := range d.values(1/math.Sqrt(float64(in)), shape...).F32 {
		if i%100 == 99 {
			x *= 1e-5
		}
		bits := tensor.F32ToF16(x)
		if t == tensor.BF16 {
			bits = tensor.F32ToBF16(x)
		}
		h.Bytes = binary.LittleEndian.AppendUint16(h.Bytes, bits)
	}
	d.c.States[name] = h
	return d.Frozen(name, h.Type)
}

// halfBits are the elements of a host tensor in F16 or BF16; nil for any other type.
func halfBits(h tensor.Host) []uint16 {
	if h.Type.DType != tensor.F16 && h.Type.DType != tensor.BF16 {
		return nil
	}
	bits := make([]uint16, len(h.Bytes)/2)
	for i := range bits {
		bits[i] = binary.LittleEndian.Uint16(h.Bytes[2*i:])
	}
	return bits
}
