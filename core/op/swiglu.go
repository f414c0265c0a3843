package op

import (
	"math"

	"hone/core/ir"
	"hone/core/tensor"
)

// SwiGLU is silu(gate) · up, silu(x) = x / (1 + exp(-x)) (Shazeer, "GLU variants improve transformer", eq. 5).
func SwiGLU(b *ir.Builder, gate, up ir.Value) ir.Value { return b.Apply("swiglu", nil, gate, up) }

func init() {
	infer := func(results int) func(ir.Attrs, []tensor.Type) ([]tensor.Type, error) {
		return func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			return in[:results], same(in)
		}
	}
	ir.Register(ir.Def{
		Name:  "swiglu",
		Infer: infer(1),
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			g := b.Apply("swiglu_grad", nil, c.In[0], c.In[1], c.DOut[0])
			return []ir.Value{g, b.Part(g, 1)}
		},
		InPlace: []int{0},
		Units:   unitsElements,
		F32:     swiGLU[float32], F64: swiGLU[float64],
	})
	// Results: gradients of gate and of up, over the memory of gate and up where these end here.
	ir.Register(ir.Def{
		Name:    "swiglu_grad",
		Infer:   infer(2),
		InPlace: []int{0, 1},
		Units:   unitsElements,
		F32:     swiGLUGrad[float32], F64: swiGLUGrad[float64],
	})
}

func swiGLU[T ir.Float](c *ir.Call[T], lo, hi int) {
	gate, up, out := c.In[0].F, c.In[1].F, c.Out[0].F
	for i := lo; i < hi; i++ {
		out[i] = gate[i] / (1 + T(math.Exp(-float64(gate[i])))) * up[i]
	}
}

func swiGLUGrad[T ir.Float](c *ir.Call[T], lo, hi int) {
	gate, up, dy := c.In[0].F, c.In[1].F, c.In[2].F
	for i := lo; i < hi; i++ {
		g, u, d := gate[i], up[i], dy[i]
		s := 1 / (1 + T(math.Exp(-float64(g))))
		c.Out[0].F[i] = d * u * s * (1 + g*(1-s))
		c.Out[1].F[i] = d * g * s
	}
}
