package op_test

import (
	"math"
	"testing"

	"hone/core/op"
)

// clipProgram follows torch.nn.utils.clip_grad_norm_ on the mean gradient.
func clipProgram(name string, sumSquares, tokens, limit float64) program {
	return program{name, func(s *source) {
		norm := math.Sqrt(sumSquares) / tokens
		coefficient := 1.0
		if limit > 0 && limit/(norm+1e-6) < 1 {
			coefficient = limit / (norm + 1e-6)
		}
		factor, got := op.ClipGradNorm(s.Builder, s.floats([]float64{sumSquares}, 1), s.floats([]float64{tokens}, 1), limit)
		s.want(factor, []float64{coefficient / tokens})
		s.want(got, []float64{norm})
	}}
}

var clipGradNormSuite = register("clip_grad_norm",
	clipProgram("clipped", 900, 3, 2),
	clipProgram("below the limit", 900, 30, 2),
	clipProgram("no limit", 900, 3, 0),
	clipProgram("no gradient", 0, 5, 1),
	clipProgram("just at the limit", 4, 1, 2), // the 1e-6 makes it a little less than 1
)

func TestClipGradNorm(t *testing.T) { clipGradNormSuite.check(t) }

// A norm that is not finite is reported as it is, and its factor is the sign to change nothing.
func TestClipGradNormNotFinite(t *testing.T) {
	for _, c := range []struct{ sumSquares, tokens, norm float64 }{
		{math.Inf(1), 3, math.Inf(1)},
		{math.NaN(), 3, math.NaN()},
		{0, 0, math.NaN()}, // a step without tokens
		{4, 0, math.Inf(1)},
	} {
		for _, limit := range []float64{0, 1} {
			g, s := clipProgram("", c.sumSquares, c.tokens, limit).trace(t, false)
			out := interpret(t, g, s.feeds, s.states)
			if factor := out["want0"].F[0]; !math.IsNaN(factor) {
				t.Errorf("%+v, limit %v: factor %v, want NaN", c, limit, factor)
			}
			if norm := out["want1"].F[0]; norm != c.norm && !(math.IsNaN(norm) && math.IsNaN(c.norm)) {
				t.Errorf("%+v, limit %v: norm %v", c, limit, norm)
			}
		}
	}
}
