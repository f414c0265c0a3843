package op

import (
	"hone/core/ir"
	"hone/core/tensor"
)

// GEGLU is gelu(gate) · up with the tanh approximation of gelu (Shazeer, "GLU variants improve transformer", eq. 6;
// hidden_act gelu_pytorch_tanh of Gemma).
func GEGLU(b *ir.Builder, gate, up ir.Value) ir.Value { return b.Apply("geglu", nil, gate, up) }

func init() {
	infer := func(results int) func(ir.Attrs, []tensor.Type) ([]tensor.Type, error) {
		return func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			return in[:results], same(in)
		}
	}
	ir.Register(ir.Def{
		Name:  "geglu",
		Infer: infer(1),
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			g := b.Apply("geglu_grad", nil, c.In[0], c.In[1], c.DOut[0])
			return []ir.Value{g, b.Part(g, 1)}
		},
		InPlace: []int{0},
		Units:   unitsElements,
		F32:     geGLU[float32], F64: geGLU[float64],
	})
	// Results: gradients of gate and of up, over the memory of gate and up where these end here.
	ir.Register(ir.Def{
		Name:    "geglu_grad",
		Infer:   infer(2),
		InPlace: []int{0, 1},
		Units:   unitsElements,
		F32:     geGLUGrad[float32], F64: geGLUGrad[float64],
	})
}

func geGLU[T ir.Float](c *ir.Call[T], lo, hi int) {
	gate, up, out := c.In[0].F, c.In[1].F, c.Out[0].F
	for i := lo; i < hi; i++ {
		x := float64(gate[i])
		p, _ := normalCDF(x, true)
		out[i] = T(x*p) * up[i]
	}
}

func geGLUGrad[T ir.Float](c *ir.Call[T], lo, hi int) {
	gate, up, dy := c.In[0].F, c.In[1].F, c.In[2].F
	for i := lo; i < hi; i++ {
		x, u, d := float64(gate[i]), up[i], dy[i]
		p, dp := normalCDF(x, true)
		c.Out[0].F[i] = d * u * T(p+x*dp)
		c.Out[1].F[i] = d * T(x*p)
	}
}
