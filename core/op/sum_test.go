package op_test

import (
	"testing"

	"hone/core/op"
)

func sumProgram(name string, shape ...int) program {
	return program{name, func(s *source) {
		x := s.param(shape...)
		want := 0.0
		for _, v := range s.of(x) {
			want += v
		}
		// The power of two makes the gradient something else than the weight of the sum.
		s.want(op.Sum(s.Builder, op.Scale(s.Builder, x, 4)), []float64{4 * want})
	}}
}

var sumSuite = register("sum", sumProgram("3x5", 3, 5), sumProgram("vector", 7), sumProgram("one element", 1, 1))

func TestSum(t *testing.T) { sumSuite.check(t) }
