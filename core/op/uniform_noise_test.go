package op_test

import (
	"math"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/rng"
	"hone/core/tensor"
)

func uniformNoiseProgram(name string, magnitude float64, shape ...int) program {
	return program{name, func(s *source) {
		key := rng.NewKey(0xfedcba9876543210, rng.NEFTune, 0x9123456789)
		x := s.param(shape...)
		want := append([]float64(nil), s.of(x)...)
		for i := range want {
			want[i] += magnitude * (2*float64(key.Uniform(uint64(i))) - 1)
		}
		s.want(op.UniformNoise(s.Builder, x, s.ints(op.DropoutKey(key)...), magnitude), want)
	}}
}

var uniformNoiseSuite = register("uniform_noise",
	uniformNoiseProgram("5x7", 0.25, 5, 7),
	uniformNoiseProgram("one element", 3, 1, 1),
	uniformNoiseProgram("no noise", 0, 3, 3),
)

func TestUniformNoise(t *testing.T) { uniformNoiseSuite.check(t) }

func TestUniformNoiseIsUniform(t *testing.T) {
	const n, magnitude = 40000, 0.5
	draw := func(key rng.Key) []float64 {
		g, err := ir.Trace(func(b *ir.Builder) {
			x := b.Feed("x", tensor.Of(tensor.F32, n))
			b.Output("y", op.UniformNoise(b, x, b.Feed("key", tensor.Of(tensor.I32, 4)), magnitude))
		})
		if err != nil {
			t.Fatal(err)
		}
		return interpret(t, g, map[string]ir.Tensor[float64]{
			"x":   {Type: tensor.Of(tensor.F32, n), F: make([]float64, n)},
			"key": {Type: tensor.Of(tensor.I32, 4), I: op.DropoutKey(key)}}, nil)["y"].F
	}
	a, b := draw(rng.NewKey(5, rng.NEFTune, 7)), draw(rng.NewKey(5, rng.NEFTune, 8))
	var mean, square, cross float64
	for i, v := range a {
		if v < -magnitude || v >= magnitude {
			t.Fatalf("element %d is %v", i, v)
		}
		mean, square, cross = mean+v/n, square+v*v/n, cross+v*b[i]/n
	}
	// Five standard deviations of the mean, of the mean square magnitude²/3, and of the product with another step's noise.
	s := magnitude / math.Sqrt(3)
	if limit := 5 / math.Sqrt(n); math.Abs(mean) > limit*s || math.Abs(square-s*s) > limit*s*s || math.Abs(cross) > limit*s*s {
		t.Errorf("mean %v, mean square %v (want %v), product with another step %v", mean, square, s*s, cross)
	}
}
