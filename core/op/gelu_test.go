package op_test

import (
	"fmt"
	"math"
	"testing"

	"hone/core/op"
)

func plainGELU(x []float64, tanh bool) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		if tanh {
			out[i] = 0.5 * v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
		} else {
			out[i] = 0.5 * v * (1 + math.Erf(v/math.Sqrt2))
		}
	}
	return out
}

func geluPrograms() []program {
	var list []program
	for _, tanh := range []bool{false, true} {
		name := func(s string) string { return fmt.Sprintf("%s, tanh %v", s, tanh) }
		list = append(list,
			program{name("3x5"), func(s *source) {
				x := s.param(3, 5)
				s.want(op.GELU(s.Builder, x, tanh), plainGELU(s.of(x), tanh))
			}},
			program{name("one element"), func(s *source) {
				x := s.param(1, 1)
				s.want(op.GELU(s.Builder, x, tanh), plainGELU(s.of(x), tanh))
			}},
			program{name("far from zero"), func(s *source) {
				x := s.floats([]float64{-1000, -40, 0, 40, 1000}, 1, 5)
				s.want(op.GELU(s.Builder, x, tanh), []float64{0, 0, 0, 40, 1000})
			}},
			program{name("of a sum, which it may overwrite"), func(s *source) {
				x, y := s.param(2, 3), s.param(2, 3)
				s.want(op.GELU(s.Builder, op.Add(s.Builder, x, y), tanh), plainGELU(plainAdd(s.of(x), s.of(y)), tanh))
			}})
	}
	return list
}

var geluSuite = register("gelu", geluPrograms()...)

func TestGELU(t *testing.T) { geluSuite.check(t) }
