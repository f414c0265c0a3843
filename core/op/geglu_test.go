package op_test

import (
	"testing"

	"hone/core/op"
)

func plainGEGLU(gate, up []float64) []float64 {
	out := plainGELU(gate, true)
	for i, u := range up {
		out[i] *= u
	}
	return out
}

var gegluSuite = register("geglu",
	program{"3x5", func(s *source) {
		gate, up := s.param(3, 5), s.param(3, 5)
		s.want(op.GEGLU(s.Builder, gate, up), plainGEGLU(s.of(gate), s.of(up)))
	}},
	program{"one element", func(s *source) {
		gate, up := s.param(1, 1), s.param(1, 1)
		s.want(op.GEGLU(s.Builder, gate, up), plainGEGLU(s.of(gate), s.of(up)))
	}},
	program{"fixed gate", func(s *source) {
		gate, up := s.random(2, 3), s.param(2, 3)
		s.want(op.GEGLU(s.Builder, gate, up), plainGEGLU(s.of(gate), s.of(up)))
	}},
	program{"far from zero", func(s *source) {
		gate, up := s.floats([]float64{-1000, -90, 0, 90, 1000}, 1, 5), s.floats([]float64{2, 2, 2, 2, 2}, 1, 5)
		s.want(op.GEGLU(s.Builder, gate, up), []float64{0, 0, 0, 180, 2000})
	}},
	program{"the same operand twice", func(s *source) {
		x := s.param(2, 3)
		s.want(op.GEGLU(s.Builder, x, x), plainGEGLU(s.of(x), s.of(x)))
	}},
)

func TestGEGLU(t *testing.T) { gegluSuite.check(t) }
