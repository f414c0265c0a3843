package op

import (
	"math"

	"hone/core/ir"
	"hone/core/tensor"
)

// LayerNorm brings each row of x [rows, n] to mean 0 and variance 1, and scales and shifts it by weight and bias [n]:
// y = (x - mean(x)) / sqrt(var(x) + eps) · weight + bias, with the variance over n (Ba, Kiros and Hinton, "Layer
// normalization", eq. 4; torch.nn.LayerNorm).
func LayerNorm(b *ir.Builder, x, weight, bias ir.Value, eps float64) ir.Value {
	return b.Apply("layernorm", ir.Attrs{"eps": eps}, x, weight, bias)
}

func init() {
	ir.Register(ir.Def{
		Name: "layernorm",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := want(in, 0, tensor.F32, 0, 0); err != nil {
				return nil, err
			}
			n := in[0].Shape[1]
			return in[:1], wantAll(want(in, 1, tensor.F32, n), want(in, 2, tensor.F32, n))
		},
		// The gradient of the bias is that of add_bias: the sum of dy over its rows.
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			out := []ir.Value{ir.None, ir.None, ir.None}
			if c.Needs[0] {
				out[0] = b.Apply("layernorm_grad_x", c.Attrs, c.In[0], c.In[1], c.DOut[0])
			}
			if c.Needs[1] {
				out[1] = b.Apply("layernorm_grad_weight", c.Attrs, c.In[0], c.DOut[0])
			}
			if c.Needs[2] {
				out[2] = b.Apply("add_bias_grad", nil, c.DOut[0])
			}
			return out
		},
		Units: unitsRows,
		F32:   layerNorm[float32], F64: layerNorm[float64],
	})
	// With r = 1/sqrt(var+eps), z = (x-mean)·r and g = dy·weight: dx = r·(g - mean(g) - z·mean(g·z)).
	ir.Register(ir.Def{
		Name: "layernorm_grad_x",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := want(in, 0, tensor.F32, 0, 0); err != nil {
				return nil, err
			}
			n := in[0].Shape
			return in[:1], wantAll(want(in, 1, tensor.F32, n[1]), want(in, 2, tensor.F32, n...))
		},
		Units: unitsRows,
		F32:   layerNormGradX[float32], F64: layerNormGradX[float64],
	})
	// dweight is the sum over the rows of dy·z.
	ir.Register(ir.Def{
		Name: "layernorm_grad_weight",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := want(in, 0, tensor.F32, 0, 0); err != nil {
				return nil, err
			}
			return []tensor.Type{f32(in[0].Shape[1])}, want(in, 1, tensor.F32, in[0].Shape...)
		},
		Units: unitsElements,
		F32:   layerNormGradWeight[float32], F64: layerNormGradWeight[float64],
	})
}

// moments are the mean and 1/sqrt(var+eps) of one row, in float64 and by two passes, so that a large mean does no harm.
func moments[T ir.Float](x []T, eps float64) (mean, r float64) {
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	var s float64
	for _, v := range x {
		d := float64(v) - mean
		s += d * d
	}
	return mean, 1 / math.Sqrt(s/float64(len(x))+eps)
}

func layerNorm[T ir.Float](c *ir.Call[T], lo, hi int) {
	n := c.In[0].Type.Shape[1]
	for row := lo; row < hi; row++ {
		x, y := c.In[0].F[row*n:][:n], c.Out[0].F[row*n:][:n]
		mean, r := moments(x, c.Attrs["eps"])
		for i, w := range c.In[1].F {
			y[i] = T((float64(x[i])-mean)*r)*w + c.In[2].F[i]
		}
	}
}

func layerNormGradX[T ir.Float](c *ir.Call[T], lo, hi int) {
	n := c.In[0].Type.Shape[1]
	w := c.In[1].F
	for row := lo; row < hi; row++ {
		x, dy, dx := c.In[0].F[row*n:][:n], c.In[2].F[row*n:][:n], c.Out[0].F[row*n:][:n]
		mean, r := moments(x, c.Attrs["eps"])
		var sum, dot float64
		for i := range x {
			g := float64(dy[i]) * float64(w[i])
			sum += g
			dot += g * (float64(x[i]) - mean) * r
		}
		sum, dot = sum/float64(n), dot/float64(n)
		for i := range x {
			dx[i] = T(r * (float64(dy[i])*float64(w[i]) - sum - (float64(x[i])-mean)*r*dot))
		}
	}
}

func layerNormGradWeight[T ir.Float](c *ir.Call[T], lo, hi int) {
	rows, n := c.In[0].Type.Shape[0], c.In[0].Type.Shape[1]
	dw := c.Out[0].F
	clear(dw[lo:hi])
	for row := range rows {
		x, dy := c.In[0].F[row*n:][:n], c.In[1].F[row*n:][:n]
		mean, r := moments(x, c.Attrs["eps"])
		for i := lo; i < hi; i++ {
			dw[i] += dy[i] * T((float64(x[i])-mean)*r)
		}
	}
}
