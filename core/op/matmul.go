package op

import (
	"fmt"

	"hone/core/ir"
	"hone/core/tensor"
)

// Orientation says which operands of a matrix product are read transposed.
type Orientation struct{ A, B bool }

// MatMul is alpha · op(x) · op(w) + c, where op transposes as told and c may be ir.None.
// x is F32; w is F32 or, frozen, F16, BF16 or NF4. With x [rows, in] and w [out, in], a linear layer is MatMul with B transposed.
func MatMul(b *ir.Builder, x, w, c ir.Value, o Orientation, alpha float64) ir.Value {
	a := ir.Attrs{"alpha": alpha}
	if o.A {
		a["transpose_a"] = 1
	}
	if o.B {
		a["transpose_b"] = 1
	}
	if c == ir.None {
		return b.Apply("matmul", a, x, w)
	}
	return b.Apply("matmul", a, x, w, c)
}

// Linear is x [rows, in] · wᵀ with w [out, in].
func Linear(b *ir.Builder, x, w ir.Value) ir.Value {
	return MatMul(b, x, w, ir.None, Orientation{B: true}, 1)
}

// MatMulDims gives the sizes of a product op(a) [m, k] · op(b) [k, n].
func MatMulDims(a ir.Attrs, in []tensor.Type) (m, k, n int) {
	m, k, n = in[0].Shape[0], in[0].Shape[1], in[1].Shape[1]
	if a["transpose_a"] != 0 {
		m, k = k, m
	}
	if a["transpose_b"] != 0 {
		n = in[1].Shape[0]
	}
	return m, k, n
}

func init() {
	ir.Register(ir.Def{
		Name:    "matmul",
		Infer:   inferMatMul,
		Grad:    gradMatMul,
		InPlace: []int{2},
		Addend:  2,
		Units:   unitsRows,
		F32:     matMul[float32], F64: matMul[float64],
		FLOPs: func(a ir.Attrs, in, _ []tensor.Type) int64 {
			m, k, n := MatMulDims(a, in)
			return 2 * int64(m) * int64(k) * int64(n)
		},
	})
}

func inferMatMul(a ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
	if len(in) < 2 || len(in[0].Shape) != 2 || len(in[1].Shape) != 2 || in[0].DType != tensor.F32 {
		return nil, fmt.Errorf("wanted an F32 matrix and a matrix, got %v", in)
	}
	switch d := in[1].DType; d {
	case tensor.F32:
	case tensor.F16, tensor.BF16, tensor.NF4:
		if a["transpose_a"] != 0 {
			return nil, fmt.Errorf("a matrix in %v is multiplied from the left by rows only", d)
		}
	default:
		return nil, fmt.Errorf("the second matrix is %v, wanted F32, F16, BF16 or NF4", in[1])
	}
	m, k, n := MatMulDims(a, in)
	inner := in[1].Shape[0]
	if a["transpose_b"] != 0 {
		inner = in[1].Shape[1]
	}
	if inner != k {
		return nil, fmt.Errorf("inner lengths differ: %v (transposed: %v) times %v (transposed: %v)", in[0], a["transpose_a"] != 0, in[1], a["transpose_b"] != 0)
	}
	if len(in) > 2 {
		if err := want(in, 2, tensor.F32, m, n); err != nil {
			return nil, err
		}
	}
	return []tensor.Type{f32(m, n)}, nil
}

// With C = α·op(A)·op(B): dA = α·dC·op(B)ᵀ, dB = α·op(A)ᵀ·dC, each transposed back when its operand was.
func gradMatMul(b *ir.Builder, c ir.GradCall) []ir.Value {
	alpha, ta, tb := c.Attrs["alpha"], c.Attrs["transpose_a"] != 0, c.Attrs["transpose_b"] != 0
	d := c.DOut[0]
	out := []ir.Value{ir.None, ir.None, d}[:len(c.In)]
	if c.Needs[0] {
		if ta {
			out[0] = MatMul(b, c.In[1], d, ir.None, Orientation{tb, true}, alpha)
		} else {
			out[0] = MatMul(b, d, c.In[1], ir.None, Orientation{false, !tb}, alpha)
		}
	}
	if c.Needs[1] {
		if tb {
			out[1] = MatMul(b, d, c.In[0], ir.None, Orientation{true, ta}, alpha)
		} else {
			out[1] = MatMul(b, c.In[0], d, ir.None, Orientation{!ta, false}, alpha)
		}
	}
	return out
}

func matMul[T ir.Float](c *ir.Call[T], lo, hi int) {
	_, k, n := MatMulDims(c.Attrs, []tensor.Type{c.In[0].Type, c.In[1].Type})
	a, alpha, out := c.In[0].F, T(c.Attrs["alpha"]), c.Out[0].F
	aRow, aCol := c.In[0].Type.Shape[1], 1
	if c.Attrs["transpose_a"] != 0 {
		aRow, aCol = aCol, aRow
	}
	w := c.In[1].Values()
	bRow, bCol := c.In[1].Type.Shape[1], 1
	if c.Attrs["transpose_b"] != 0 {
		bRow, bCol = bCol, bRow
	}
	for i := lo; i < hi; i++ {
		for j := range n {
			var s T
			for l := range k {
				s += a[i*aRow+l*aCol] * w[l*bRow+j*bCol]
			}
			s *= alpha
			if len(c.In) > 2 {
				s += c.In[2].F[i*n+j]
			}
			out[i*n+j] = s
		}
	}
}
