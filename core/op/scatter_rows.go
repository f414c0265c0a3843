package op

import (
	"hone/core/ir"
	"hone/core/tensor"
)

// ScatterRows is dst [n, width] with row at[i] replaced by row i of src [rows, width]; rows with a negative at are
// dropped. Written back to a state it fills a KV cache. Devices check that a fed at is below n.
func ScatterRows(b *ir.Builder, dst, src, at ir.Value) ir.Value {
	return b.Apply("scatter_rows", nil, dst, src, at)
}

func init() {
	ir.Register(ir.Def{
		Name: "scatter_rows",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := wantAll(want(in, 0, tensor.F32, 0, 0), want(in, 1, tensor.F32, 0, 0)); err != nil {
				return nil, err
			}
			return in[:1], wantAll(want(in, 1, tensor.F32, 0, in[0].Shape[1]), want(in, 2, tensor.I32, in[1].Shape[0]))
		},
		InPlace: []int{0},
		Index:   func(_ ir.Attrs, in []tensor.Type) ir.Index { return ir.Index{Operand: 2, Below: in[0].Shape[0]} },
		F32:     scatterRows[float32], F64: scatterRows[float64],
	})
}

func scatterRows[T ir.Float](c *ir.Call[T], _, _ int) {
	n := c.In[0].Type.Shape[1]
	copy(c.Out[0].F, c.In[0].F)
	for i, at := range c.In[2].I {
		if at >= 0 {
			copy(c.Out[0].F[int(at)*n:][:n], c.In[1].F[i*n:][:n])
		}
	}
}
