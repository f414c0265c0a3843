package op_test

import (
	"math"
	"testing"

	"hone/core/op"
)

func plainSwiGLU(gate, up []float64) []float64 {
	out := make([]float64, len(gate))
	for i, g := range gate {
		out[i] = g / (1 + math.Exp(-g)) * up[i]
	}
	return out
}

var swigluSuite = register("swiglu",
	program{"3x5", func(s *source) {
		gate, up := s.param(3, 5), s.param(3, 5)
		s.want(op.SwiGLU(s.Builder, gate, up), plainSwiGLU(s.of(gate), s.of(up)))
	}},
	program{"one element", func(s *source) {
		gate, up := s.param(1, 1), s.param(1, 1)
		s.want(op.SwiGLU(s.Builder, gate, up), plainSwiGLU(s.of(gate), s.of(up)))
	}},
	program{"fixed gate", func(s *source) {
		gate, up := s.random(2, 3), s.param(2, 3)
		s.want(op.SwiGLU(s.Builder, gate, up), plainSwiGLU(s.of(gate), s.of(up)))
	}},
	program{"far from zero", func(s *source) { // exp overflows where silu is 0, and vanishes where it is the identity
		gate, up := s.floats([]float64{-1000, -90, 0, 90, 1000}, 1, 5), s.floats([]float64{2, 2, 2, 2, 2}, 1, 5)
		s.want(op.SwiGLU(s.Builder, gate, up), []float64{0, 0, 0, 180, 2000})
	}},
	program{"the same operand twice", func(s *source) {
		x := s.param(2, 3)
		s.want(op.SwiGLU(s.Builder, x, x), plainSwiGLU(s.of(x), s.of(x)))
	}},
)

func TestSwiGLU(t *testing.T) { swigluSuite.check(t) }
