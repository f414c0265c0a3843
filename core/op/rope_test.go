package op_test

import (
	"math/cmplx"
	"testing"

	"hone/core/op"
)

// plainRoPE turns complex numbers: each pair of a head is the parts of one. What has no partner stays.
func plainRoPE(x []float64, rows int, positions []int32, freq []float64, shape op.RopeShape) []float64 {
	out, head := append([]float64{}, x...), shape.HeadDim
	n := len(x) / rows
	for row, pos := range positions {
		for h := row * n; h < (row+1)*n; h += head {
			for i, f := range freq {
				p, q := h+i, h+i+len(freq)
				if shape.Interleaved {
					p, q = h+2*i, h+2*i+1
				}
				z := complex(x[p], x[q]) * cmplx.Exp(complex(0, float64(pos)*f))
				out[p], out[q] = real(z), imag(z)
			}
		}
	}
	return out
}

func ropeProgram(name string, heads int, shape op.RopeShape, freq []float64, positions ...int32) program {
	return program{name, func(s *source) {
		rows, filled := len(positions), shape
		if filled.HeadDim == 0 {
			filled.HeadDim = 2 * len(freq)
		}
		x := s.param(rows, heads*filled.HeadDim)
		y := op.RoPE(s.Builder, x, s.ints(positions...), s.floats(freq, len(freq)), shape)
		s.want(y, plainRoPE(s.of(x), rows, positions, freq, filled))
	}}
}

var ropeSuite = register("rope",
	ropeProgram("three heads of 6", 3, op.RopeShape{}, []float64{1, 0.25, 0.0625}, 0, 1, 2, 0, 17),
	ropeProgram("one pair", 1, op.RopeShape{HeadDim: 2}, []float64{1}, 3),
	ropeProgram("a far position", 1, op.RopeShape{}, []float64{0.5, 0x1p-10}, 32768),
	ropeProgram("half of each head", 2, op.RopeShape{HeadDim: 8}, []float64{1, 0.125}, 0, 5, 6),
	ropeProgram("heads of odd length", 3, op.RopeShape{HeadDim: 3}, []float64{0.25}, 4, 5),
	ropeProgram("neighbours", 2, op.RopeShape{Interleaved: true}, []float64{1, 0.25, 0.0625}, 0, 1, 19),
	ropeProgram("neighbours in half of each head", 2, op.RopeShape{HeadDim: 8, Interleaved: true}, []float64{1, 0.125}, 7, 8),
)

func TestRoPE(t *testing.T) { ropeSuite.check(t) }
