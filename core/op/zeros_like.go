package op

import (
	"hone/core/ir"
	"hone/core/tensor"
)

// ZerosLike is a tensor of zeros of x's shape; assigned to x's own state it clears it in place.
func ZerosLike(b *ir.Builder, x ir.Value) ir.Value { return b.Apply("zeros_like", nil, x) }

func init() {
	ir.Register(ir.Def{
		Name: "zeros_like",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			return in[:1], same(in)
		},
		InPlace: []int{0},
		Units:   unitsElements,
		F32:     zerosLike[float32], F64: zerosLike[float64],
	})
}

func zerosLike[T ir.Float](c *ir.Call[T], lo, hi int) { clear(c.Out[0].F[lo:hi]) }
