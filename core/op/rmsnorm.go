package op

import (
	"math"

	"hone/core/ir"
	"hone/core/tensor"
)

// RMSNorm scales each row of x [rows, n] to unit root mean square and multiplies by weight [n]:
// y = x / sqrt(mean(x²) + eps) · weight (Zhang and Sennrich, "Root mean square layer normalization", eq. 4).
func RMSNorm(b *ir.Builder, x, weight ir.Value, eps float64) ir.Value {
	return b.Apply("rmsnorm", ir.Attrs{"eps": eps}, x, weight)
}

func init() {
	ir.Register(ir.Def{
		Name: "rmsnorm",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := want(in, 0, tensor.F32, 0, 0); err != nil {
				return nil, err
			}
			return in[:1], want(in, 1, tensor.F32, in[0].Shape[1])
		},
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			out := []ir.Value{ir.None, ir.None}
			if c.Needs[0] {
				out[0] = b.Apply("rmsnorm_grad_x", c.Attrs, c.In[0], c.In[1], c.DOut[0])
			}
			if c.Needs[1] {
				out[1] = b.Apply("rmsnorm_grad_weight", c.Attrs, c.In[0], c.DOut[0])
			}
			return out
		},
		Units: unitsRows,
		F32:   rmsNorm[float32], F64: rmsNorm[float64],
	})
	// With r = 1/sqrt(mean(x²)+eps) and g = dy·weight: dx = r·(g - x·r²·mean(g·x)).
	ir.Register(ir.Def{
		Name: "rmsnorm_grad_x",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := want(in, 0, tensor.F32, 0, 0); err != nil {
				return nil, err
			}
			n := in[0].Shape
			return in[:1], wantAll(want(in, 1, tensor.F32, n[1]), want(in, 2, tensor.F32, n...))
		},
		Units: unitsRows,
		F32:   rmsNormGradX[float32], F64: rmsNormGradX[float64],
	})
	ir.Register(ir.Def{
		Name: "rmsnorm_grad_weight",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := want(in, 0, tensor.F32, 0, 0); err != nil {
				return nil, err
			}
			return []tensor.Type{f32(in[0].Shape[1])}, want(in, 1, tensor.F32, in[0].Shape...)
		},
		Units: unitsElements,
		F32:   rmsNormGradWeight[float32], F64: rmsNormGradWeight[float64],
	})
}

// reciprocalRMS is 1/sqrt(mean(x²)+eps) of one row; the sum runs in float64, so its order hardly matters.
func reciprocalRMS[T ir.Float](x []T, eps float64) T {
	var s float64
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return T(1 / math.Sqrt(s/float64(len(x))+eps))
}

func rmsNorm[T ir.Float](c *ir.Call[T], lo, hi int) {
	n := c.In[0].Type.Shape[1]
	for row := lo; row < hi; row++ {
		x, y := c.In[0].F[row*n:][:n], c.Out[0].F[row*n:][:n]
		r := reciprocalRMS(x, c.Attrs["eps"])
		for i, w := range c.In[1].F {
			y[i] = x[i] * r * w
		}
	}
}

func rmsNormGradX[T ir.Float](c *ir.Call[T], lo, hi int) {
	n := c.In[0].Type.Shape[1]
	w := c.In[1].F
	for row := lo; row < hi; row++ {
		x, dy, dx := c.In[0].F[row*n:][:n], c.In[2].F[row*n:][:n], c.Out[0].F[row*n:][:n]
		r := reciprocalRMS(x, c.Attrs["eps"])
		var dot float64
		for i := range x {
			dot += float64(dy[i]) * float64(w[i]) * float64(x[i])
		}
		k := T(dot/float64(n)) * r * r
		for i := range x {
			dx[i] = r * (dy[i]*w[i] - x[i]*k)
		}
	}
}

func rmsNormGradWeight[T ir.Float](c *ir.Call[T], lo, hi int) {
	rows, n := c.In[0].Type.Shape[0], c.In[0].Type.Shape[1]
	dw := c.Out[0].F
	clear(dw[lo:hi])
	for row := range rows {
		x, dy := c.In[0].F[row*n:][:n], c.In[1].F[row*n:][:n]
		r := reciprocalRMS(x, c.Attrs["eps"])
		for i := lo; i < hi; i++ {
			dw[i] += dy[i] * x[i] * r
		}
	}
}
