package op_test

import (
	"testing"

	"hone/core/op"
)

func scaleProgram(name string, factor float64, shape ...int) program {
	return program{name, func(s *source) {
		x := s.param(shape...)
		want := s.of(x)
		for i := range want {
			want[i] *= factor
		}
		s.want(op.Scale(s.Builder, x, factor), want)
	}}
}

var scaleSuite = register("scale",
	scaleProgram("3x5", -1.75, 3, 5),
	scaleProgram("one element", 3, 1),
	scaleProgram("by zero", 0, 2, 2),
)

func TestScale(t *testing.T) { scaleSuite.check(t) }
