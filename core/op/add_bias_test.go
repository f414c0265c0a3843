package op_test

import (
	"testing"

	"hone/core/op"
)

func addBiasProgram(name string, rows, n int) program {
	return program{name, func(s *source) {
		x, bias := s.param(rows, n), s.param(n)
		want := s.of(x)
		for i := range want {
			want[i] += s.of(bias)[i%n]
		}
		s.want(op.AddBias(s.Builder, x, bias), want)
	}}
}

var addBiasSuite = register("add_bias",
	addBiasProgram("3x5", 3, 5),
	addBiasProgram("one row", 1, 7),
	addBiasProgram("one column", 5, 1),
	addBiasProgram("one element", 1, 1),
	program{"fixed bias", func(s *source) {
		x, bias := s.param(1, 3), s.random(3)
		s.want(op.AddBias(s.Builder, x, bias), plainAdd(s.of(x), s.of(bias)))
	}},
)

func TestAddBias(t *testing.T) { addBiasSuite.check(t) }
