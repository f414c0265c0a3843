package op

import (
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/rng"
	"hone/core/tensor"
)

// UniformNoise adds to each element of x a number drawn uniformly from [-magnitude, magnitude). key [4] is made as for Dropout;
// the number of element i is word i of its stream, u = (word >> 8)·2⁻²³ - 1, times magnitude: a recomputed forward draws the same.
// The gradient passes through unchanged.
func UniformNoise(b *ir.Builder, x, key ir.Value, magnitude float64) ir.Value {
	return b.Apply("uniform_noise", ir.Attrs{"magnitude": magnitude}, x, key)
}

func init() {
	ir.Register(ir.Def{
		Name: "uniform_noise",
		Infer: func(a ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if !(a["magnitude"] >= 0) || math.IsInf(a["magnitude"], 0) {
				return nil, fmt.Errorf("magnitude %v is no size of a noise", a["magnitude"])
			}
			return in[:1], wantAll(same(in[:1]), want(in, 1, tensor.I32, 4))
		},
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			return []ir.Value{c.DOut[0], ir.None}
		},
		InPlace: []int{0},
		Units:   unitsElements,
		F32:     uniformNoise[float32], F64: uniformNoise[float64],
	})
}

func uniformNoise[T ir.Float](c *ir.Call[T], lo, hi int) {
	key := keyOf(c.In[1].I)
	magnitude := T(c.Attrs["magnitude"])
	var block [4]uint32
	for i := lo; i < hi; i++ {
		if i%4 == 0 || i == lo {
			block = key.Block(uint64(i) / 4)
		}
		c.Out[0].F[i] = c.In[0].F[i] + magnitude*(T(block[i%4]>>8)*0x1p-23-1)
	}
}

// keyOf reads what DropoutKey made.
func keyOf(w []int32) rng.Key {
	return rng.Key{Seed: uint64(uint32(w[0])) | uint64(uint32(w[1]))<<32, Step: uint64(uint32(w[2])) | uint64(uint32(w[3]))<<32}
}
