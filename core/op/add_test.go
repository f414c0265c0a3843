package op_test

import (
	"testing"

	"hone/core/op"
)

var addSuite = register("add",
	program{"3x5", func(s *source) {
		x, y := s.param(3, 5), s.param(3, 5)
		s.want(op.Add(s.Builder, x, y), plainAdd(s.of(x), s.of(y)))
	}},
	program{"vector", func(s *source) {
		x, y := s.param(7), s.param(7)
		s.want(op.Add(s.Builder, x, y), plainAdd(s.of(x), s.of(y)))
	}},
	program{"one element", func(s *source) {
		x, y := s.param(1, 1), s.param(1, 1)
		s.want(op.Add(s.Builder, x, y), plainAdd(s.of(x), s.of(y)))
	}},
	program{"the same operand twice", func(s *source) {
		x := s.param(2, 3)
		s.want(op.Add(s.Builder, x, x), plainAdd(s.of(x), s.of(x)))
	}},
	program{"used again after", func(s *source) {
		x, y := s.param(2, 3), s.param(2, 3)
		sum := op.Add(s.Builder, x, y)
		s.want(sum, plainAdd(s.of(x), s.of(y)))
		s.want(op.Add(s.Builder, sum, x), plainAdd(plainAdd(s.of(x), s.of(y)), s.of(x)))
	}},
)

func TestAdd(t *testing.T) { addSuite.check(t) }

func plainAdd(x, y []float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = x[i] + y[i]
	}
	return out
}
