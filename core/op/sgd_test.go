package op_test

import (
	"testing"

	"hone/core/op"
)

func sgdProgram(name string, decay float64, shape ...int) program {
	return program{name, func(s *source) {
		const factor, lr = 0.5, 0.125
		param, grad := s.random(shape...), s.random(shape...)
		want, g := s.of(param), s.of(grad)
		for i, p := range want {
			want[i] = p - lr*(g[i]*factor+decay*p)
		}
		got := op.SGD(s.Builder, param, grad, s.floats([]float64{factor}, 1), s.floats([]float64{lr, 0, 0}, 3), decay)
		s.want(got, want)
	}}
}

var sgdSuite = register("sgd", sgdProgram("decay", 0.25, 3, 5), sgdProgram("no decay", 0, 7), sgdProgram("one element", 0.5, 1))

func TestSGD(t *testing.T) { sgdSuite.check(t) }
