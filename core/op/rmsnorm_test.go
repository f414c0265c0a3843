package op_test

import (
	"math"
	"testing"

	"hone/core/op"
)

func plainRMSNorm(x, weight []float64, eps float64) []float64 {
	out, n := make([]float64, len(x)), len(weight)
	for row := 0; row < len(x); row += n {
		mean := 0.0
		for _, v := range x[row : row+n] {
			mean += v * v / float64(n)
		}
		for i, w := range weight {
			out[row+i] = x[row+i] / math.Sqrt(mean+eps) * w
		}
	}
	return out
}

func plusOne(w []float64) []float64 {
	out := make([]float64, len(w))
	for i, x := range w {
		out[i] = 1 + x
	}
	return out
}

func rmsnormProgram(name string, rows, n int, eps float64) program {
	return program{name, func(s *source) {
		x, w := s.param(rows, n), s.param(n)
		s.want(op.RMSNorm(s.Builder, x, w, eps), plainRMSNorm(s.of(x), s.of(w), eps))
	}}
}

var rmsnormSuite = register("rmsnorm",
	rmsnormProgram("3x5", 3, 5, 1e-5),
	rmsnormProgram("one row", 1, 7, 1e-6),
	rmsnormProgram("one column", 3, 1, 0.1),
	rmsnormProgram("large eps", 2, 6, 3),
	program{"fixed weight", func(s *source) {
		x, w := s.param(3, 5), s.random(5)
		s.want(op.RMSNorm(s.Builder, x, w, 1e-5), plainRMSNorm(s.of(x), s.of(w), 1e-5))
	}},
	program{"only the weight is trained", func(s *source) {
		x, w := s.random(3, 5), s.param(5)
		s.want(op.RMSNorm(s.Builder, x, w, 1e-5), plainRMSNorm(s.of(x), s.of(w), 1e-5))
	}},
	program{"three groups a row", func(s *source) {
		x, w := s.param(2, 12), s.param(4)
		s.want(op.RMSNorm(s.Builder, x, w, 1e-5), plainRMSNorm(s.of(x), s.of(w), 1e-5))
	}},
	program{"groups of one", func(s *source) {
		x, w := s.param(2, 3), s.param(1)
		s.want(op.RMSNorm(s.Builder, x, w, 0.1), plainRMSNorm(s.of(x), s.of(w), 0.1))
	}},
	program{"unit offset", func(s *source) {
		x, w := s.param(3, 5), s.param(5)
		s.want(op.RMSNormUnitOffset(s.Builder, x, w, 1e-5), plainRMSNorm(s.of(x), plusOne(s.of(w)), 1e-5))
	}},
	program{"unit offset in groups", func(s *source) {
		x, w := s.param(3, 10), s.param(5)
		s.want(op.RMSNormUnitOffset(s.Builder, x, w, 1e-6), plainRMSNorm(s.of(x), plusOne(s.of(w)), 1e-6))
	}},
	program{"a row of zeros", func(s *source) {
		s.want(op.RMSNorm(s.Builder, s.floats(make([]float64, 4), 1, 4), s.random(4), 1e-6), make([]float64, 4))
	}},
)

func TestRMSNorm(t *testing.T) { rmsnormSuite.check(t) }
