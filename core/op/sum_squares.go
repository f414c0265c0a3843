package op

import (
	"hone/core/ir"
	"hone/core/tensor"
)

// SumSquares is total [1] + the sum of the squares of x, added up in float64 and in order. A chain of them over all
// gradients gives the square of their global norm.
func SumSquares(b *ir.Builder, x, total ir.Value) ir.Value {
	return b.Apply("sum_squares", nil, x, total)
}

func init() {
	ir.Register(ir.Def{
		Name: "sum_squares",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			return []tensor.Type{f32(1)}, wantAll(same(in[:1]), want(in, 1, tensor.F32, 1))
		},
		F32: sumSquares[float32], F64: sumSquares[float64],
	})
}

func sumSquares[T ir.Float](c *ir.Call[T], _, _ int) {
	var s float64
	for _, x := range c.In[0].F {
		s += float64(x) * float64(x)
	}
	c.Out[0].F[0] = c.In[1].F[0] + T(s)
}
