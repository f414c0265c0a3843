package op

import (
	"hone/core/ir"
	"hone/core/tensor"
)

// AddBias adds bias [n] to every row of x [rows, n].
func AddBias(b *ir.Builder, x, bias ir.Value) ir.Value { return b.Apply("add_bias", nil, x, bias) }

func init() {
	ir.Register(ir.Def{
		Name: "add_bias",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := want(in, 0, tensor.F32, 0, 0); err != nil {
				return nil, err
			}
			return in[:1], want(in, 1, tensor.F32, in[0].Shape[1])
		},
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			out := []ir.Value{c.DOut[0], ir.None}
			if c.Needs[1] {
				out[1] = b.Apply("add_bias_grad", nil, c.DOut[0])
			}
			return out
		},
		InPlace: []int{0},
		Units:   unitsRows,
		F32:     addBias[float32], F64: addBias[float64],
	})
	// The gradient of the bias is the sum of dy over its rows.
	ir.Register(ir.Def{
		Name: "add_bias_grad",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := want(in, 0, tensor.F32, 0, 0); err != nil {
				return nil, err
			}
			return []tensor.Type{f32(in[0].Shape[1])}, nil
		},
		Units: unitsElements,
		F32:   addBiasGrad[float32], F64: addBiasGrad[float64],
	})
}

func addBias[T ir.Float](c *ir.Call[T], lo, hi int) {
	n := c.In[0].Type.Shape[1]
	for row := lo; row < hi; row++ {
		for i, v := range c.In[1].F {
			c.Out[0].F[row*n+i] = c.In[0].F[row*n+i] + v
		}
	}
}

func addBiasGrad[T ir.Float](c *ir.Call[T], lo, hi int) {
	rows, n := c.In[0].Type.Shape[0], c.In[0].Type.Shape[1]
	clear(c.Out[0].F[lo:hi])
	for row := range rows {
		for i := lo; i < hi; i++ {
			c.Out[0].F[i] += c.In[0].F[row*n+i]
		}
	}
}
