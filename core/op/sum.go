package op

import (
	"hone/core/ir"
	"hone/core/tensor"
)

// Sum adds up all elements of x, in order and in float64; the result is [1].
func Sum(b *ir.Builder, x ir.Value) ir.Value { return b.Apply("sum", nil, x) }

func init() {
	ir.Register(ir.Def{
		Name: "sum",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			return []tensor.Type{f32(1)}, same(in)
		},
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			return []ir.Value{b.Apply("sum_grad", nil, c.In[0], c.DOut[0])}
		},
		F32: sum[float32], F64: sum[float64],
	})
	// Every element gets the gradient of the sum. The first operand gives only the shape.
	ir.Register(ir.Def{
		Name: "sum_grad",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			return in[:1], wantAll(same(in[:1]), want(in, 1, tensor.F32, 1))
		},
		InPlace: []int{0},
		Units:   unitsElements,
		F32:     sumGrad[float32], F64: sumGrad[float64],
	})
}

func sum[T ir.Float](c *ir.Call[T], _, _ int) {
	var s float64
	for _, x := range c.In[0].F {
		s += float64(x)
	}
	c.Out[0].F[0] = T(s)
}

func sumGrad[T ir.Float](c *ir.Call[T], lo, hi int) {
	for i := lo; i < hi; i++ {
		c.Out[0].F[i] = c.In[1].F[0]
	}
}
