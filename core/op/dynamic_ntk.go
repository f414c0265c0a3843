package op

import (
	"fmt"
	"math"
	"slices"

	"hone/core/ir"
	"hone/core/tensor"
)

// DynamicNTK gives the inverse frequencies [pairs] that RoPE reads for the longest of positions [rows]: up to
// maxPositions tokens theta^(-i/pairs); above that theta grows with the length T = max(positions) + 1 to
// theta · (factor·T/maxPositions - (factor - 1))^(dim/(dim-2)), dim = 2·pairs ("dynamic" of transformers'
// modeling_rope_utils, after the NTK-aware scaling of bloc97 and emozilla).
func DynamicNTK(b *ir.Builder, positions ir.Value, pairs int, theta, factor float64, maxPositions int) ir.Value {
	return b.Apply("dynamic_ntk", ir.Attrs{"pairs": float64(pairs), "theta": theta, "factor": factor, "max_positions": float64(maxPositions)}, positions)
}

func init() {
	ir.Register(ir.Def{
		Name: "dynamic_ntk",
		Infer: func(a ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if a.Int("pairs") < 2 || a.Int("max_positions") < 1 {
				return nil, fmt.Errorf("%d pairs and %d positions; wanted at least 2 and 1", a.Int("pairs"), a.Int("max_positions"))
			}
			return []tensor.Type{f32(a.Int("pairs"))}, want(in, 0, tensor.I32, 0)
		},
		F32: dynamicNTK[float32], F64: dynamicNTK[float64],
	})
}

func dynamicNTK[T ir.Float](c *ir.Call[T], _, _ int) {
	pairs, theta, factor, most := c.Attrs["pairs"], c.Attrs["theta"], c.Attrs["factor"], c.Attrs["max_positions"]
	if length := float64(slices.Max(c.In[0].I)) + 1; length > most {
		theta *= math.Pow(factor*length/most-(factor-1), pairs/(pairs-1))
	}
	for i := range c.Out[0].F {
		c.Out[0].F[i] = 1 / T(math.Pow(theta, float64(i)/pairs)) // two roundings, as in PyTorch
	}
}
