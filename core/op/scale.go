package op

import (
	"hone/core/ir"
	"hone/core/tensor"
)

// Scale is factor · x.
func Scale(b *ir.Builder, x ir.Value, factor float64) ir.Value {
	return b.Apply("scale", ir.Attrs{"factor": factor}, x)
}

func init() {
	ir.Register(ir.Def{
		Name: "scale",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			return in[:1], same(in)
		},
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			return []ir.Value{Scale(b, c.DOut[0], c.Attrs["factor"])}
		},
		InPlace: []int{0},
		Units:   unitsElements,
		F32:     scale[float32], F64: scale[float64],
	})
}

func scale[T ir.Float](c *ir.Call[T], lo, hi int) {
	f := T(c.Attrs["factor"])
	for i, x := range c.In[0].F[lo:hi] {
		c.Out[0].F[lo+i] = f * x
	}
}
