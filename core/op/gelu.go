package op

import (
	"math"

	"hone/core/ir"
	"hone/core/tensor"
)

// GELU is x·Φ(x), Φ the distribution of a standard normal (Hendrycks and Gimpel, "Gaussian error linear units",
// section 2): 0.5·x·(1 + erf(x/√2)), transformers' gelu; or, with tanh, its approximation
// 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), transformers' gelu_new and gelu_pytorch_tanh.
func GELU(b *ir.Builder, x ir.Value, tanh bool) ir.Value {
	a := ir.Attrs{}
	if tanh {
		a["tanh"] = 1
	}
	return b.Apply("gelu", a, x)
}

func init() {
	ir.Register(ir.Def{
		Name:  "gelu",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) { return in[:1], same(in) },
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			return []ir.Value{b.Apply("gelu_grad", c.Attrs, c.In[0], c.DOut[0])}
		},
		InPlace: []int{0},
		Units:   unitsElements,
		F32:     gelu[float32], F64: gelu[float64],
	})
	// dx = dy·gelu'(x), over the memory of x where it ends here.
	ir.Register(ir.Def{
		Name:    "gelu_grad",
		Infer:   func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) { return in[:1], same(in) },
		InPlace: []int{0},
		Units:   unitsElements,
		F32:     geluGrad[float32], F64: geluGrad[float64],
	})
}

// The tanh of the approximation turns into the logistic function: 0.5·(1 + tanh(u)) = σ(2u), and 2u = a·x + b·x³.
var (
	geluA = 2 * math.Sqrt(2/math.Pi)
	geluB = geluA * 0.044715
)

// normalCDF gives Φ(x) and its derivative, exactly or by the approximation with tanh.
func normalCDF(x float64, tanh bool) (p, dp float64) {
	if tanh {
		p = 1 / (1 + math.Exp(-x*(geluA+geluB*x*x)))
		dp = p * (1 - p) * (geluA + 3*geluB*x*x)
		if p == 0 || p == 1 { // far out x² may overflow beside the 0 that p·(1-p) is
			dp = 0
		}
		return p, dp
	}
	return 0.5 * math.Erfc(-x/math.Sqrt2), math.Exp(-x*x/2) / math.Sqrt(2*math.Pi)
}

func gelu[T ir.Float](c *ir.Call[T], lo, hi int) {
	tanh := c.Attrs["tanh"] != 0
	for i := lo; i < hi; i++ {
		x := float64(c.In[0].F[i])
		p, _ := normalCDF(x, tanh)
		c.Out[0].F[i] = T(x * p)
	}
}

func geluGrad[T ir.Float](c *ir.Call[T], lo, hi int) {
	tanh := c.Attrs["tanh"] != 0
	for i := lo; i < hi; i++ {
		x := float64(c.In[0].F[i])
		p, dp := normalCDF(x, tanh)
		c.Out[0].F[i] = T(float64(c.In[1].F[i]) * (p + x*dp))
	}
}
