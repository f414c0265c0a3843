package op_test

import (
	"strings"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// Operands that do not fit end the trace with an error that names the operator and says what does not fit.
func TestRefusals(t *testing.T) {
	f := func(b *ir.Builder, name string, shape ...int) ir.Value {
		return b.Feed(name, tensor.Of(tensor.F32, shape...))
	}
	i := func(b *ir.Builder, name string, n int) ir.Value { return b.Feed(name, tensor.Of(tensor.I32, n)) }
	nf4 := func(b *ir.Builder, shape ...int) ir.Value { return b.Frozen("w", tensor.Of(tensor.NF4, shape...)) }
	attend := func(b *ir.Builder, batch, heads, kv int) {
		at := op.Tokens{Segments: i(b, "s", 6), Positions: i(b, "p", 6)}
		x := f(b, "x", 6, 12)
		op.Attention(b, x, x, x, at, at, op.AttentionShape{Batch: batch, Heads: heads, KVHeads: kv, HeadDim: 3, Scale: 1})
	}
	for _, c := range []struct {
		want  string
		build func(b *ir.Builder)
	}{
		{"add: operand 1 is F32[3 2] and operand 0 is F32[2 3]", func(b *ir.Builder) { op.Add(b, f(b, "x", 2, 3), f(b, "y", 3, 2)) }},
		{"add: operand 0 is I32[3]", func(b *ir.Builder) { op.Add(b, i(b, "x", 3), i(b, "x", 3)) }},
		{"add_bias: operand 1 is F32[2], wanted F32[3]", func(b *ir.Builder) { op.AddBias(b, f(b, "x", 2, 3), f(b, "y", 2)) }},
		{"add_bias: operand 0 is F32[3]", func(b *ir.Builder) { op.AddBias(b, f(b, "x", 3), f(b, "y", 3)) }},
		{"attention: batch 4", func(b *ir.Builder) { attend(b, 4, 4, 3) }},
		{"attention: 6 queries and 6 keys cannot be cut into 4", func(b *ir.Builder) { attend(b, 4, 4, 4) }},
		{"attention: operand 0 is F32[6 12], wanted F32[0 15]", func(b *ir.Builder) { attend(b, 2, 5, 5) }},
		{"attention: batch 2, heads 0", func(b *ir.Builder) { attend(b, 2, 0, 4) }},
		{"clip_grad_norm: operand 1", func(b *ir.Builder) { op.ClipGradNorm(b, f(b, "x", 1), f(b, "y", 2), 1) }},
		{"dropout: probability 1 ", func(b *ir.Builder) { op.Dropout(b, f(b, "x", 3), i(b, "k", 4), 1, 0) }},
		{"dropout: operand 1", func(b *ir.Builder) { op.Dropout(b, f(b, "x", 3), i(b, "k", 2), 0.1, 0) }},
		{"embedding: operand 1 is F32[3]", func(b *ir.Builder) { op.Embedding(b, f(b, "x", 3, 2), f(b, "y", 3)) }},
		{"geglu: operand 1", func(b *ir.Builder) { op.GEGLU(b, f(b, "x", 3), f(b, "y", 2)) }},
		{"gelu: operand 0", func(b *ir.Builder) { op.GELU(b, i(b, "x", 3), true) }},
		{"layernorm: operand 1 is F32[2], wanted F32[3]", func(b *ir.Builder) { op.LayerNorm(b, f(b, "x", 2, 3), f(b, "w", 2), f(b, "b", 3), 1) }},
		{"layernorm: operand 2 is F32[2], wanted F32[3]", func(b *ir.Builder) { op.LayerNorm(b, f(b, "x", 2, 3), f(b, "w", 3), f(b, "b", 2), 1) }},
		{"linear_cross_entropy: operand 1 is F32[9 4], wanted F32[0 3]", func(b *ir.Builder) { op.LinearCrossEntropy(b, f(b, "h", 2, 3), f(b, "w", 9, 4), i(b, "t", 2)) }},
		{"linear_cross_entropy: operand 2", func(b *ir.Builder) { op.LinearCrossEntropy(b, f(b, "h", 2, 3), f(b, "w", 9, 3), i(b, "t", 3)) }},
		{"matmul: inner lengths differ: F32[2 3] (transposed: false) times F32[4 3]", func(b *ir.Builder) {
			op.MatMul(b, f(b, "x", 2, 3), f(b, "y", 4, 3), ir.None, op.Orientation{}, 1)
		}},
		{"matmul: operand 2 is F32[4 2], wanted F32[2 4]", func(b *ir.Builder) {
			op.MatMul(b, f(b, "x", 2, 3), f(b, "y", 4, 3), f(b, "c", 4, 2), op.Orientation{B: true}, 1)
		}},
		{"matmul: wanted an F32 matrix and a matrix", func(b *ir.Builder) { op.Linear(b, f(b, "x", 3), f(b, "y", 4, 3)) }},
		{"matmul: the second matrix is I32", func(b *ir.Builder) { op.Linear(b, f(b, "x", 2, 3), b.Feed("y", tensor.Of(tensor.I32, 4, 3))) }},
		{"matmul: an NF4 matrix", func(b *ir.Builder) { op.MatMul(b, f(b, "x", 3, 2), nf4(b, 3, 4), ir.None, op.Orientation{A: true}, 1) }},
		{"rmsnorm: rows of 3 cannot be cut into groups of 2", func(b *ir.Builder) { op.RMSNorm(b, f(b, "x", 2, 3), f(b, "w", 2), 1) }},
		{"rope: rows of 6 cannot be cut into heads of 4 with 2 pairs", func(b *ir.Builder) { op.RoPE(b, f(b, "x", 2, 6), i(b, "p", 2), f(b, "f", 2), op.RopeShape{}) }},
		{"rope: rows of 3 cannot be cut into heads of 2 with 1 pairs", func(b *ir.Builder) { op.RoPE(b, f(b, "x", 2, 3), i(b, "p", 2), f(b, "f", 1), op.RopeShape{}) }},
		{"rope: rows of 6 cannot be cut into heads of 3 with 2 pairs", func(b *ir.Builder) { op.RoPE(b, f(b, "x", 2, 6), i(b, "p", 2), f(b, "f", 2), op.RopeShape{HeadDim: 3}) }},
		{"rope: operand 1", func(b *ir.Builder) { op.RoPE(b, f(b, "x", 2, 4), i(b, "p", 3), f(b, "f", 2), op.RopeShape{}) }},
		{"scale: operand 0 is NF4[2 3]", func(b *ir.Builder) { op.Scale(b, nf4(b, 2, 3), 2) }},
		{"scatter_rows: operand 1", func(b *ir.Builder) { op.ScatterRows(b, f(b, "x", 5, 3), f(b, "y", 2, 4), i(b, "at", 2)) }},
		{"scatter_rows: operand 2", func(b *ir.Builder) { op.ScatterRows(b, f(b, "x", 5, 3), f(b, "y", 2, 3), i(b, "at", 3)) }},
		{"sgd: operand 1", func(b *ir.Builder) { op.SGD(b, f(b, "p", 3), f(b, "g", 2), f(b, "f", 1), f(b, "r", 3), 0) }},
		{"adamw: operand 5", func(b *ir.Builder) {
			p := f(b, "p", 3)
			op.AdamW(b, p, p, p, p, f(b, "f", 1), f(b, "r", 2), adamwSettings)
		}},
		{"slice_columns: columns from 2 to 4 of F32[2 3]", func(b *ir.Builder) { op.SliceColumns(b, f(b, "x", 2, 3), 2, 4) }},
		{"slice_columns: columns from 2 to 2", func(b *ir.Builder) { op.SliceColumns(b, f(b, "x", 2, 3), 2, 2) }},
		{"sum: operand 0", func(b *ir.Builder) { op.Sum(b, i(b, "x", 3)) }},
		{"sum_squares: operand 1", func(b *ir.Builder) { op.SumSquares(b, f(b, "x", 3), f(b, "y", 3)) }},
		{"swiglu: operand 1", func(b *ir.Builder) { op.SwiGLU(b, f(b, "x", 3), f(b, "y", 2)) }},
		{"zeros_like: operand 0", func(b *ir.Builder) { op.ZerosLike(b, i(b, "x", 3)) }},
	} {
		_, err := ir.Trace(c.build)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got error %v, want one that begins %q", err, c.want)
		}
	}
}
