package op_test

import (
	"math"
	"testing"

	"hone/core/op"
)

func plainLayerNorm(x, weight, bias []float64, eps float64) []float64 {
	out, n := make([]float64, len(x)), len(weight)
	for row := 0; row < len(x); row += n {
		mean, variance := 0.0, 0.0
		for _, v := range x[row : row+n] {
			mean += v / float64(n)
		}
		for _, v := range x[row : row+n] {
			variance += (v - mean) * (v - mean) / float64(n)
		}
		for i, w := range weight {
			out[row+i] = (x[row+i]-mean)/math.Sqrt(variance+eps)*w + bias[i]
		}
	}
	return out
}

func layernormProgram(name string, rows, n int, eps float64) program {
	return program{name, func(s *source) {
		x, w, b := s.param(rows, n), s.param(n), s.param(n)
		s.want(op.LayerNorm(s.Builder, x, w, b, eps), plainLayerNorm(s.of(x), s.of(w), s.of(b), eps))
	}}
}

var layernormSuite = register("layernorm",
	layernormProgram("3x5", 3, 5, 1e-5),
	layernormProgram("one row", 1, 7, 1e-6),
	layernormProgram("large eps", 2, 6, 3),
	program{"one column", func(s *source) { // the mean is the value itself: only the bias is left
		x, w, b := s.random(3, 1), s.random(1), s.param(1)
		s.want(op.LayerNorm(s.Builder, x, w, b, 0.1), plainLayerNorm(s.of(x), s.of(w), s.of(b), 0.1))
	}},
	program{"only x", func(s *source) {
		x, w, b := s.param(3, 5), s.random(5), s.random(5)
		s.want(op.LayerNorm(s.Builder, x, w, b, 1e-5), plainLayerNorm(s.of(x), s.of(w), s.of(b), 1e-5))
	}},
	program{"only the weight", func(s *source) {
		x, w, b := s.random(3, 5), s.param(5), s.random(5)
		s.want(op.LayerNorm(s.Builder, x, w, b, 1e-5), plainLayerNorm(s.of(x), s.of(w), s.of(b), 1e-5))
	}},
	program{"a large mean", func(s *source) { // cancels without harm
		x, w, b := s.floats([]float64{4096, 4097, 4098, 4100}, 1, 4), s.random(4), s.random(4)
		s.want(op.LayerNorm(s.Builder, x, w, b, 1e-5), plainLayerNorm(s.of(x), s.of(w), s.of(b), 1e-5))
	}},
	program{"a row of one value", func(s *source) {
		x, w, b := s.floats([]float64{2, 2, 2, 2}, 1, 4), s.random(4), s.random(4)
		s.want(op.LayerNorm(s.Builder, x, w, b, 1e-5), s.of(b))
	}},
)

func TestLayerNorm(t *testing.T) { layernormSuite.check(t) }
