package op_test

import (
	"fmt"
	"math"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

var adamwSettings = op.AdamWSettings{Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-6, WeightDecay: 0.1}

// torchAdamW is step t of torch.optim.AdamW as the README of shared/golden writes it down; it changes p, m and v.
func torchAdamW(p, g, m, v []float64, lr float64, t int, s op.AdamWSettings) {
	for i := range p {
		p[i] -= lr * s.WeightDecay * p[i]
		m[i] = s.Beta1*m[i] + (1-s.Beta1)*g[i]
		v[i] = s.Beta2*v[i] + (1-s.Beta2)*g[i]*g[i]
		step := lr / (1 - math.Pow(s.Beta1, float64(t)))
		p[i] -= step * m[i] / (math.Sqrt(v[i])/math.Sqrt(1-math.Pow(s.Beta2, float64(t))) + s.Epsilon)
	}
}

// rates is op.AdamWRates without its rounding to float32.
func rates(lr float64, t int, s op.AdamWSettings) []float64 {
	return []float64{lr, lr / (1 - math.Pow(s.Beta1, float64(t))), math.Sqrt(1 - math.Pow(s.Beta2, float64(t)))}
}

func adamwProgram(name string, factor float64, settings op.AdamWSettings, shape ...int) program {
	return program{name, func(s *source) {
		const lr, at = 0.25, 3
		param, grad, m, root := s.random(shape...), s.random(shape...), s.random(shape...), s.random(shape...)
		square := s.of(root) // a second moment is never negative
		for i, x := range square {
			square[i] = float64(float32(x * x))
		}
		v := s.floats(square, shape...)
		wantP, wantM, wantV, g := s.of(param), s.of(m), s.of(v), s.of(grad)
		for i := range g {
			g[i] *= factor
		}
		if !math.IsNaN(factor) && !math.IsInf(factor, 0) { // otherwise nothing changes
			torchAdamW(wantP, g, wantM, wantV, lr, at, settings)
		}
		newP, newM, newV := op.AdamW(s.Builder, param, grad, m, v, s.floats([]float64{factor}, 1), s.floats(rates(lr, at, settings), 3), settings)
		s.want(newP, wantP)
		s.want(newM, wantM)
		s.want(newV, wantV)
	}}
}

var adamwSuite = register("adamw",
	adamwProgram("decay", 0.5, adamwSettings, 3, 5),
	adamwProgram("no decay", 1, op.AdamWSettings{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}, 7),
	adamwProgram("one element", 2, adamwSettings, 1, 1),
	adamwProgram("factor NaN", math.NaN(), adamwSettings, 5),
	adamwProgram("factor infinite", math.Inf(1), adamwSettings, 5),
)

func TestAdamW(t *testing.T) { adamwSuite.check(t) }

// Several steps from zero moments, one with a learning rate of zero: moments and parameters stay with torch's.
func TestAdamWSteps(t *testing.T) {
	const n = 5
	typ := tensor.Of(tensor.F32, n)
	g, err := ir.Trace(func(b *ir.Builder) {
		grad, factor, r := b.Feed("grad", typ), b.Feed("factor", tensor.Of(tensor.F32, 1)), b.Feed("rates", tensor.Of(tensor.F32, 3))
		p, m, v := op.AdamW(b, b.State("p", typ), grad, b.State("m", typ), b.State("v", typ), factor, r, adamwSettings)
		b.Assign("p", p)
		b.Assign("m", m)
		b.Assign("v", v)
	})
	if err != nil {
		t.Fatal(err)
	}
	p, m, v := normals(0, n), make([]float64, n), make([]float64, n)
	states := map[string]ir.Tensor[float64]{"p": {Type: typ, F: normals(0, n)}, "m": {Type: typ, F: make([]float64, n)}, "v": {Type: typ, F: make([]float64, n)}}
	for k, lr := range []float64{0, 0.1, 0.05, 0.3, 0.01, 0.2} {
		grad, factor := normals(10+k, n), 1/float64(k+1)
		grad[2] = 0 // a parameter that never gets a gradient only decays
		_, states, err = ir.Interpret(g, map[string]ir.Tensor[float64]{
			"grad":   {Type: typ, F: grad},
			"factor": {Type: tensor.Of(tensor.F32, 1), F: []float64{factor}},
			"rates":  {Type: tensor.Of(tensor.F32, 3), F: rates(lr, k+1, adamwSettings)},
		}, states)
		if err != nil {
			t.Fatal(err)
		}
		scaled := make([]float64, n)
		for i := range scaled {
			scaled[i] = grad[i] * factor
		}
		torchAdamW(p, scaled, m, v, lr, k+1, adamwSettings)
		for name, want := range map[string][]float64{"p": p, "m": m, "v": v} {
			compare(t, fmt.Sprintf("step %d: %s", k+1, name), states[name].F, want, 1e-12)
		}
	}
}

func TestAdamWRates(t *testing.T) {
	for _, at := range []int{1, 2, 10, 1000, 1000000} {
		compare(t, fmt.Sprintf("rates of step %d", at), op.AdamWRates(3e-4, at, adamwSettings), rates(3e-4, at, adamwSettings), 6e-8)
	}
}
