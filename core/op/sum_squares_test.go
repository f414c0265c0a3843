package op_test

import (
	"testing"

	"hone/core/op"
)

// sumSquaresSuite has no gradients: nothing differentiates through a gradient's norm.
var sumSquaresSuite = register("sum_squares",
	program{"a chain over two tensors", func(s *source) {
		x, y := s.random(3, 5), s.random(7)
		want := 0.25
		for _, v := range append(s.of(x), s.of(y)...) {
			want += v * v
		}
		total := op.SumSquares(s.Builder, x, s.Constant([]float32{0.25}, 1))
		s.want(op.SumSquares(s.Builder, y, total), []float64{want})
	}},
	program{"one element", func(s *source) {
		x := s.floats([]float64{-3}, 1, 1)
		s.want(op.SumSquares(s.Builder, x, s.Constant([]float32{0}, 1)), []float64{9})
	}},
)

func TestSumSquares(t *testing.T) { sumSquaresSuite.check(t) }
