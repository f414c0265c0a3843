package op

import (
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/tensor"
)

// RMSNorm scales each row of x [rows, n] to unit root mean square and multiplies by weight [n]:
// y = x / sqrt(mean(x²) + eps) · weight (Zhang and Sennrich, "Root mean square layer normalization", eq. 4). Where rows
// are longer than weight, x [rows, groups·n], each group of n is normalised by itself: the norms of Qwen3's query and
// key heads.
func RMSNorm(b *ir.Builder, x, weight ir.Value, eps float64) ir.Value {
	return b.Apply("rmsnorm", ir.Attrs{"eps": eps}, x, weight)
}

// RMSNormUnitOffset is RMSNorm with the factor 1 + weight in the place of weight, as Gemma stores it.
func RMSNormUnitOffset(b *ir.Builder, x, weight ir.Value, eps float64) ir.Value {
	return b.Apply("rmsnorm", ir.Attrs{"eps": eps, "unit_offset": 1}, x, weight)
}

func init() {
	ir.Register(ir.Def{
		Name: "rmsnorm",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := want(in, 0, tensor.F32, 0, 0); err != nil {
				return nil, err
			}
			return in[:1], inferGroups(in)
		},
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			out := []ir.Value{ir.None, ir.None}
			if c.Needs[0] {
				out[0] = b.Apply("rmsnorm_grad_x", c.Attrs, c.In[0], c.In[1], c.DOut[0])
			}
			if c.Needs[1] {
				a := ir.Attrs{"eps": c.Attrs["eps"], "width": float64(b.Dim(c.In[1], 0))}
				out[1] = b.Apply("rmsnorm_grad_weight", a, c.In[0], c.DOut[0])
			}
			return out
		},
		Units: unitsRows,
		F32:   rmsNorm[float32], F64: rmsNorm[float64],
	})
	// With r = 1/sqrt(mean(x²)+eps) and g = dy·weight (or dy·(1+weight)): dx = r·(g - x·r²·mean(g·x)).
	ir.Register(ir.Def{
		Name: "rmsnorm_grad_x",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := want(in, 0, tensor.F32, 0, 0); err != nil {
				return nil, err
			}
			return in[:1], wantAll(inferGroups(in), want(in, 2, tensor.F32, in[0].Shape...))
		},
		Units: unitsRows,
		F32:   rmsNormGradX[float32], F64: rmsNormGradX[float64],
	})
	// Attribute width is the length of weight; without it that is the length of the rows.
	ir.Register(ir.Def{
		Name: "rmsnorm_grad_weight",
		Infer: func(a ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := want(in, 0, tensor.F32, 0, 0); err != nil {
				return nil, err
			}
			n, width := in[0].Shape[1], a.Int("width")
			if width == 0 {
				width = n
			}
			if width < 1 || n%width != 0 {
				return nil, fmt.Errorf("rows of %d cannot be cut into groups of %d", n, width)
			}
			return []tensor.Type{f32(width)}, want(in, 1, tensor.F32, in[0].Shape...)
		},
		Units: unitsElements,
		F32:   rmsNormGradWeight[float32], F64: rmsNormGradWeight[float64],
	})
}

// inferGroups checks that the rows of operand 0 are whole groups of the length of weight, operand 1.
func inferGroups(in []tensor.Type) error {
	if err := want(in, 1, tensor.F32, 0); err != nil {
		return err
	}
	if rows, n := in[0].Shape[1], in[1].Shape[0]; n < 1 || rows%n != 0 {
		return fmt.Errorf("rows of %d cannot be cut into groups of %d, the length of the weight", rows, n)
	}
	return nil
}

// reciprocalRMS is 1/sqrt(mean(x²)+eps) of one group; the sum runs in float64, so its order hardly matters.
func reciprocalRMS[T ir.Float](x []T, eps float64) T {
	var s float64
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return T(1 / math.Sqrt(s/float64(len(x))+eps))
}

// rmsNorm and its gradients go through rows group by group; a unit is a row.
func rmsNorm[T ir.Float](c *ir.Call[T], lo, hi int) {
	n, offset := c.In[1].Type.Shape[0], T(c.Attrs["unit_offset"])
	groups := c.In[0].Type.Shape[1] / n
	for g := lo * groups; g < hi*groups; g++ {
		x, y := c.In[0].F[g*n:][:n], c.Out[0].F[g*n:][:n]
		r := reciprocalRMS(x, c.Attrs["eps"])
		for i, w := range c.In[1].F {
			y[i] = x[i] * r * (w + offset)
		}
	}
}

func rmsNormGradX[T ir.Float](c *ir.Call[T], lo, hi int) {
	n, offset := c.In[1].Type.Shape[0], T(c.Attrs["unit_offset"])
	groups := c.In[0].Type.Shape[1] / n
	w := c.In[1].F
	for g := lo * groups; g < hi*groups; g++ {
		x, dy, dx := c.In[0].F[g*n:][:n], c.In[2].F[g*n:][:n], c.Out[0].F[g*n:][:n]
		r := reciprocalRMS(x, c.Attrs["eps"])
		var dot float64
		for i := range x {
			dot += float64(dy[i]) * float64(w[i]+offset) * float64(x[i])
		}
		k := T(dot/float64(n)) * r * r
		for i := range x {
			dx[i] = r * (dy[i]*(w[i]+offset) - x[i]*k)
		}
	}
}

func rmsNormGradWeight[T ir.Float](c *ir.Call[T], lo, hi int) {
	n := c.Out[0].Type.Shape[0]
	groups := c.In[0].Type.Elements() / n
	dw := c.Out[0].F
	clear(dw[lo:hi])
	for g := range groups {
		x, dy := c.In[0].F[g*n:][:n], c.In[1].F[g*n:][:n]
		r := reciprocalRMS(x, c.Attrs["eps"])
		for i := lo; i < hi; i++ {
			dw[i] += dy[i] * x[i] * r
		}
	}
}
