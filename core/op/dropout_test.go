package op_test

import (
	"math"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/rng"
	"hone/core/tensor"
)

// plainDropout draws element by element.
func plainDropout(x []float64, key rng.Key, p float64, stream int) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		if float64(key.Uniform(uint64(stream)<<40+uint64(i))) >= p {
			out[i] = v / (1 - p)
		}
	}
	return out
}

func dropoutProgram(name string, p float64, stream int, shape ...int) program {
	return program{name, func(s *source) {
		key := rng.NewKey(0xfedcba9876543210, rng.Dropout, 0x9123456789)
		x := s.param(shape...)
		s.want(op.Dropout(s.Builder, x, s.ints(op.DropoutKey(key)...), p, stream), plainDropout(s.of(x), key, p, stream))
	}}
}

// The gradient check holds the backward pass to the forward's mask. Elements in numbers that four does not divide: the
// generator draws four at a time, and a piece of work may begin at any of them.
var dropoutSuite = register("dropout",
	dropoutProgram("5x7", 0.4, 0, 5, 7),
	dropoutProgram("another stream", 0.4, 3, 5, 7),
	dropoutProgram("one element", 0.5, 1, 1, 1),
	dropoutProgram("nothing dropped", 0, 2, 3, 3),
)

func TestDropout(t *testing.T) { dropoutSuite.check(t) }

// mask gives which of n ones are kept, and what has become of them.
func mask(t *testing.T, n int, key rng.Key, p float64, stream int) (kept []bool, value float64) {
	t.Helper()
	g, err := ir.Trace(func(b *ir.Builder) {
		x := b.Feed("x", tensor.Of(tensor.F32, n))
		b.Output("y", op.Dropout(b, x, b.Feed("key", tensor.Of(tensor.I32, 4)), p, stream))
	})
	if err != nil {
		t.Fatal(err)
	}
	ones := make([]float64, n)
	for i := range ones {
		ones[i] = 1
	}
	out := interpret(t, g, map[string]ir.Tensor[float64]{
		"x":   {Type: tensor.Of(tensor.F32, n), F: ones},
		"key": {Type: tensor.Of(tensor.I32, 4), I: op.DropoutKey(key)}}, nil)
	for _, y := range out["y"].F {
		kept = append(kept, y != 0)
		value = max(value, y)
	}
	return kept, value
}

func TestDropoutMasks(t *testing.T) {
	const n, p = 40000, 0.3
	key := rng.NewKey(5, rng.Dropout, 7)
	base, value := mask(t, n, key, p, 0)
	dropped := 0
	for _, k := range base {
		if !k {
			dropped++
		}
	}
	// Five standard deviations.
	if sigma := math.Sqrt(n * p * (1 - p)); math.Abs(float64(dropped)-n*p) > 5*sigma {
		t.Errorf("%d of %d are dropped, want about %.0f", dropped, n, n*p)
	}
	if math.Abs(value-1/(1-p)) > 1e-12 {
		t.Errorf("what is kept is scaled by %v, want %v", value, 1/(1-p))
	}
	for name, other := range map[string]func() ([]bool, float64){
		"another stream": func() ([]bool, float64) { return mask(t, n, key, p, 1) },
		"another step":   func() ([]bool, float64) { return mask(t, n, rng.NewKey(5, rng.Dropout, 8), p, 0) },
		"a far step":     func() ([]bool, float64) { return mask(t, n, rng.NewKey(5, rng.Dropout, 7+1<<32), p, 0) },
		"another seed":   func() ([]bool, float64) { return mask(t, n, rng.NewKey(6, rng.Dropout, 7), p, 0) },
		"a far seed":     func() ([]bool, float64) { return mask(t, n, rng.NewKey(5+1<<32, rng.Dropout, 7), p, 0) },
	} {
		differ := 0
		kept, _ := other()
		for i, k := range kept {
			if k != base[i] {
				differ++
			}
		}
		q := 2 * p * (1 - p) // of two independent masks
		if sigma := math.Sqrt(n * q * (1 - q)); math.Abs(float64(differ)-n*q) > 5*sigma {
			t.Errorf("%s: the mask differs in %d of %d places, want about %.0f", name, differ, n, n*q)
		}
	}
}
