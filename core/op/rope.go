package op

import (
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/tensor"
)

// RopeShape says which elements of a row turn together.
type RopeShape struct {
	// HeadDim is the length of a head; 0 is twice that of inv_freq. Only the first 2·len(inv_freq) elements of a head turn.
	HeadDim int
	// Interleaved pairs neighbours 2i and 2i+1, as the RoFormer paper and ChatGLM do; otherwise i is paired with
	// i + len(inv_freq), as transformers does.
	Interleaved bool
}

// RoPE rotates each head of x [rows, heads·head_dim] by its position: pair i of a head turns by
// positions[row] · inv_freq[i] (Su et al., "RoFormer", eq. 34). inv_freq is data, so every kind of rope scaling is only
// another table.
func RoPE(b *ir.Builder, x, positions, invFreq ir.Value, s RopeShape) ir.Value {
	a := ir.Attrs{"sign": 1, "head_dim": float64(s.HeadDim)}
	if s.HeadDim == 0 && len(b.Type(invFreq).Shape) == 1 {
		a["head_dim"] = float64(2 * b.Dim(invFreq, 0))
	}
	if s.Interleaved {
		a["interleaved"] = 1
	}
	return b.Apply("rope", a, x, positions, invFreq)
}

// RopeHeadDim is the length of a head in a program's rope node with that many pairs.
func RopeHeadDim(a ir.Attrs, pairs int) int {
	if n := a.Int("head_dim"); n != 0 {
		return n
	}
	return 2 * pairs
}

func init() {
	// Attributes: sign 1, or -1 to turn back; head_dim (0 is twice the number of pairs); interleaved.
	ir.Register(ir.Def{
		Name: "rope",
		Infer: func(a ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := wantAll(want(in, 0, tensor.F32, 0, 0), want(in, 2, tensor.F32, 0)); err != nil {
				return nil, err
			}
			n, pairs := in[0].Shape[1], in[2].Shape[0]
			if head := RopeHeadDim(a, pairs); pairs < 1 || 2*pairs > head || n%head != 0 {
				return nil, fmt.Errorf("rows of %d cannot be cut into heads of %d with %d pairs", n, head, pairs)
			}
			return in[:1], want(in, 1, tensor.I32, in[0].Shape[0])
		},
		// A rotation is orthogonal: its gradient is the rotation back.
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			a := ir.Attrs{}
			for k, v := range c.Attrs {
				a[k] = v
			}
			a["sign"] = -a["sign"]
			return []ir.Value{b.Apply("rope", a, c.DOut[0], c.In[1], c.In[2]), ir.None, ir.None}
		},
		InPlace: []int{0},
		Units:   unitsRows,
		F32:     rope[float32], F64: rope[float64],
	})
}

func rope[T ir.Float](c *ir.Call[T], lo, hi int) {
	n, pairs := c.In[0].Type.Shape[1], c.In[2].Type.Shape[0]
	head := RopeHeadDim(c.Attrs, pairs)
	step, partner := 1, pairs // of the first elements of two pairs, and from the first to the second of one
	if c.Attrs["interleaved"] != 0 {
		step, partner = 2, 1
	}
	sin, cos := make([]T, pairs), make([]T, pairs)
	for row := lo; row < hi; row++ {
		x, y := c.In[0].F[row*n:][:n], c.Out[0].F[row*n:][:n]
		for i, f := range c.In[2].F {
			// The angle is a product in T, as in PyTorch; its sine is exact to the last bit or so.
			s, co := math.Sincos(float64(T(c.In[1].I[row]) * f))
			sin[i], cos[i] = T(s*c.Attrs["sign"]), T(co)
		}
		for h := 0; h < n; h += head {
			for i := range pairs {
				p, q := h+i*step, h+i*step+partner
				a, b := x[p], x[q]
				y[p], y[q] = a*cos[i]-b*sin[i], b*cos[i]+a*sin[i]
			}
			copy(y[h+2*pairs:h+head], x[h+2*pairs:])
		}
	}
}
