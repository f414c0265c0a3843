package op

import (
	"fmt"

	"hone/core/ir"
	"hone/core/tensor"
)

// SliceColumns is columns from to to-1 of x [rows, n]: how a fused projection is cut into queries, keys and values.
func SliceColumns(b *ir.Builder, x ir.Value, from, to int) ir.Value {
	return b.Apply("slice_columns", ir.Attrs{"from": float64(from), "to": float64(to)}, x)
}

func init() {
	ir.Register(ir.Def{
		Name: "slice_columns",
		Infer: func(a ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := want(in, 0, tensor.F32, 0, 0); err != nil {
				return nil, err
			}
			from, to := a.Int("from"), a.Int("to")
			if from < 0 || to <= from || to > in[0].Shape[1] {
				return nil, fmt.Errorf("columns from %d to %d of %v", from, to, in[0])
			}
			return []tensor.Type{f32(in[0].Shape[0], to-from)}, nil
		},
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			a := ir.Attrs{"from": c.Attrs["from"], "width": float64(b.Dim(c.In[0], 1))}
			return []ir.Value{b.Apply("slice_columns_grad", a, c.DOut[0])}
		},
		Units: unitsRows,
		F32:   sliceColumns[float32], F64: sliceColumns[float64],
	})
	// The gradient [rows, width] is dy from column from on, and 0 in all other columns.
	ir.Register(ir.Def{
		Name: "slice_columns_grad",
		Infer: func(a ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := want(in, 0, tensor.F32, 0, 0); err != nil {
				return nil, err
			}
			from, width := a.Int("from"), a.Int("width")
			if from < 0 || from+in[0].Shape[1] > width {
				return nil, fmt.Errorf("%v does not fit into %d columns from column %d on", in[0], width, from)
			}
			return []tensor.Type{f32(in[0].Shape[0], width)}, nil
		},
		Units: unitsRows,
		F32:   sliceColumnsGrad[float32], F64: sliceColumnsGrad[float64],
	})
}

func sliceColumns[T ir.Float](c *ir.Call[T], lo, hi int) {
	n, width, from := c.In[0].Type.Shape[1], c.Out[0].Type.Shape[1], c.Attrs.Int("from")
	for row := lo; row < hi; row++ {
		copy(c.Out[0].F[row*width:][:width], c.In[0].F[row*n+from:])
	}
}

func sliceColumnsGrad[T ir.Float](c *ir.Call[T], lo, hi int) {
	n, width, from := c.In[0].Type.Shape[1], c.Out[0].Type.Shape[1], c.Attrs.Int("from")
	for row := lo; row < hi; row++ {
		out := c.Out[0].F[row*width:][:width]
		clear(out[:from])
		copy(out[from:], c.In[0].F[row*n:][:n])
		clear(out[from+n:])
	}
}
