package op_test

import (
	"math"
	"testing"

	"hone/core/op"
)

func sgdProgram(name string, factor, decay float64, shape ...int) program {
	return program{name, func(s *source) {
		const lr = 0.125
		param, grad := s.random(shape...), s.random(shape...)
		want, g := s.of(param), s.of(grad)
		if !math.IsNaN(factor) && !math.IsInf(factor, 0) { // otherwise nothing changes
			for i, p := range want {
				want[i] = p - lr*(g[i]*factor+decay*p)
			}
		}
		got := op.SGD(s.Builder, param, grad, s.floats([]float64{factor}, 1), s.floats([]float64{lr, 0, 0}, 3), decay)
		s.want(got, want)
	}}
}

var sgdSuite = register("sgd",
	sgdProgram("decay", 0.5, 0.25, 3, 5),
	sgdProgram("no decay", 2, 0, 7),
	sgdProgram("one element", 0.5, 0.5, 1),
	sgdProgram("factor NaN", math.NaN(), 0.5, 5),
	sgdProgram("factor infinite", math.Inf(1), 0.5, 5),
)

func TestSGD(t *testing.T) { sgdSuite.check(t) }
