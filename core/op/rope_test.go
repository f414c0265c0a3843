package op_test

import (
	"math/cmplx"
	"testing"

	"hone/core/op"
)

// plainRoPE turns complex numbers: elements i and i + half of a head are the parts of one.
func plainRoPE(x []float64, rows int, positions []int32, freq []float64) []float64 {
	out, half := make([]float64, len(x)), len(freq)
	n := len(x) / rows
	for row, pos := range positions {
		for head := row * n; head < (row+1)*n; head += 2 * half {
			for i, f := range freq {
				z := complex(x[head+i], x[head+half+i]) * cmplx.Exp(complex(0, float64(pos)*f))
				out[head+i], out[head+half+i] = real(z), imag(z)
			}
		}
	}
	return out
}

func ropeProgram(name string, heads int, freq []float64, positions ...int32) program {
	return program{name, func(s *source) {
		rows := len(positions)
		x := s.param(rows, heads*2*len(freq))
		y := op.RoPE(s.Builder, x, s.ints(positions...), s.floats(freq, len(freq)))
		s.want(y, plainRoPE(s.of(x), rows, positions, freq))
	}}
}

var ropeSuite = register("rope",
	ropeProgram("three heads of 6", 3, []float64{1, 0.25, 0.0625}, 0, 1, 2, 0, 17),
	ropeProgram("one pair", 1, []float64{1}, 3),
	ropeProgram("a far position", 1, []float64{0.5, 0x1p-10}, 32768),
)

func TestRoPE(t *testing.T) { ropeSuite.check(t) }
