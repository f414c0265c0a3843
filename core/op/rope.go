package op

import (
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/tensor"
)

// RoPE rotates each head of x [rows, heads·head_dim] by its position: elements i and i + head_dim/2 of a head form a
// pair that turns by positions[row] · inv_freq[i] (Su et al., "RoFormer", eq. 34; the halves-of-a-head pairing of
// transformers). inv_freq [head_dim/2] is data, so every kind of rope scaling is only another table.
func RoPE(b *ir.Builder, x, positions, invFreq ir.Value) ir.Value {
	return b.Apply("rope", ir.Attrs{"sign": 1}, x, positions, invFreq)
}

func init() {
	ir.Register(ir.Def{
		Name: "rope",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := wantAll(want(in, 0, tensor.F32, 0, 0), want(in, 2, tensor.F32, 0)); err != nil {
				return nil, err
			}
			if n, pairs := in[0].Shape[1], in[2].Shape[0]; pairs < 1 || n%(2*pairs) != 0 {
				return nil, fmt.Errorf("rows of %d cannot be cut into heads of %d pairs", n, pairs)
			}
			return in[:1], want(in, 1, tensor.I32, in[0].Shape[0])
		},
		// A rotation is orthogonal: its gradient is the rotation back.
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			return []ir.Value{b.Apply("rope", ir.Attrs{"sign": -c.Attrs["sign"]}, c.DOut[0], c.In[1], c.In[2]), ir.None, ir.None}
		},
		InPlace: []int{0},
		Units:   unitsRows,
		F32:     rope[float32], F64: rope[float64],
	})
}

func rope[T ir.Float](c *ir.Call[T], lo, hi int) {
	n, half := c.In[0].Type.Shape[1], c.In[2].Type.Shape[0]
	sin, cos := make([]T, half), make([]T, half)
	for row := lo; row < hi; row++ {
		x, y := c.In[0].F[row*n:][:n], c.Out[0].F[row*n:][:n]
		for i, f := range c.In[2].F {
			// The angle is a product in T, as in PyTorch; its sine is exact to the last bit or so.
			s, co := math.Sincos(float64(T(c.In[1].I[row]) * f))
			sin[i], cos[i] = T(s*c.Attrs["sign"]), T(co)
		}
		for h := 0; h < n; h += 2 * half {
			for i := range half {
				a, b := x[h+i], x[h+half+i]
				y[h+i], y[h+half+i] = a*cos[i]-b*sin[i], b*cos[i]+a*sin[i]
			}
		}
	}
}
