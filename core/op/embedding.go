package op

import (
	"hone/core/ir"
	"hone/core/tensor"
)

// Embedding picks rows of table [n, width] by ids [rows]; a negative id gives a row of zeros. A frozen table may be in F16
// or BF16. It serves for token embeddings and wherever else rows of a matrix are picked. Devices check that fed ids are
// below n.
func Embedding(b *ir.Builder, table, ids ir.Value) ir.Value {
	return b.Apply("embedding", nil, table, ids)
}

func init() {
	ir.Register(ir.Def{
		Name: "embedding",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := wantAll(wantWeight(in, 0, 0, 0), want(in, 1, tensor.I32, 0)); err != nil {
				return nil, err
			}
			return []tensor.Type{f32(in[1].Shape[0], in[0].Shape[1])}, nil
		},
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			in := []ir.Value{c.DOut[0], c.In[1]}
			if c.Sums[0] != ir.None {
				in, c.Added[0] = append(in, c.Sums[0]), true
			}
			return []ir.Value{b.Apply("embedding_grad", ir.Attrs{"rows": float64(b.Dim(c.In[0], 0))}, in...), ir.None}
		},
		Index: func(_ ir.Attrs, in []tensor.Type) ir.Index { return ir.Index{Operand: 1, Below: in[0].Shape[0]} },
		Units: unitsRows,
		F32:   embedding[float32], F64: embedding[float64],
	})
	// The gradient sums, in the order of the batch, the rows of dy that came from the same row of the table; with a third
	// operand, to that row of it.
	ir.Register(ir.Def{
		Name: "embedding_grad",
		Infer: func(a ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := want(in, 0, tensor.F32, 0, 0); err != nil {
				return nil, err
			}
			rows, n := a.Int("rows"), in[0].Shape[1]
			if len(in) > 2 {
				if err := want(in, 2, tensor.F32, rows, n); err != nil {
					return nil, err
				}
			}
			return []tensor.Type{f32(rows, n)}, want(in, 1, tensor.I32, in[0].Shape[0])
		},
		InPlace: []int{2},
		Index:   func(a ir.Attrs, _ []tensor.Type) ir.Index { return ir.Index{Operand: 1, Below: a.Int("rows")} },
		Units:   unitsRows,
		F32:     embeddingGrad[float32], F64: embeddingGrad[float64],
	})
}

func embedding[T ir.Float](c *ir.Call[T], lo, hi int) {
	n := c.In[0].Type.Shape[1]
	for row := lo; row < hi; row++ {
		out := c.Out[0].F[row*n:][:n]
		if id := int(c.In[1].I[row]); id >= 0 {
			c.In[0].Floats(out, id*n)
		} else {
			clear(out)
		}
	}
}

func embeddingGrad[T ir.Float](c *ir.Call[T], lo, hi int) {
	n := c.In[0].Type.Shape[1]
	dt := c.Out[0].F
	if len(c.In) > 2 {
		copy(dt[lo*n:hi*n], c.In[2].F[lo*n:hi*n])
	} else {
		clear(dt[lo*n : hi*n])
	}
	for row, id := range c.In[1].I {
		if int(id) < lo || int(id) >= hi {
			continue
		}
		dst := dt[int(id)*n:][:n]
		for i, d := range c.In[0].F[row*n:][:n] {
			dst[i] += d
		}
	}
}
