package op

import (
	"hone/core/ir"
	"hone/core/tensor"
)

// Add is a + b, element by element.
func Add(b *ir.Builder, x, y ir.Value) ir.Value { return b.Apply("add", nil, x, y) }

func init() {
	ir.Register(ir.Def{
		Name: "add",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			return in[:1], same(in)
		},
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			return []ir.Value{c.DOut[0], c.DOut[0]}
		},
		InPlace: []int{0},
		Units:   unitsElements,
		F32:     add[float32], F64: add[float64],
	})
}

func add[T ir.Float](c *ir.Call[T], lo, hi int) {
	x, y, out := c.In[0].F, c.In[1].F, c.Out[0].F
	for i := lo; i < hi; i++ {
		out[i] = x[i] + y[i]
	}
}
