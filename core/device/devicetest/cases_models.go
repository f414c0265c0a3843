package devicetest

import (
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// Tolerances of the operators that came with the architectures.
const (
	layerNormTolerance  = 1e-5
	activationTolerance = 1e-5
	// Angles are products in float32: at position p they are off by p·2⁻²⁴.
	ropeTolerance = 1e-4
)

// ModelCases are the operators that GPT-2, Qwen, ChatGLM and Gemma need beside those of Llama, and their gradients.
func ModelCases() []Case {
	var cases []Case
	cases = append(cases, layerNormCases()...)
	cases = append(cases, geluCases()...)
	cases = append(cases, sliceCases()...)
	cases = append(cases, groupNormCases()...)
	cases = append(cases, dynamicNTKCases()...)
	return append(cases, ropeShapeCases()...)
}

// dynamicNTKCases have texts within the length of training, at it and beyond it.
func dynamicNTKCases() []Case {
	var cases []Case
	for _, s := range []struct{ rows, pairs, most int }{{1, 2, 1}, {9, 5, 64}, {64, 32, 64}, {65, 32, 64}, {300, 64, 17}} {
		cases = append(cases, newCase(fmt.Sprintf("dynamic_ntk %+v", s), ropeTolerance/100, func(d *draft) {
			at := make([]int32, s.rows)
			for i := range at {
				at[i] = int32((i*7 + 3) % s.rows)
			}
			d.Output("y", op.DynamicNTK(d.Builder, d.ints(at), s.pairs, 1e4, 4, s.most))
		}))
	}
	return cases
}

// backward makes the gradients of uᵀ·y·w, u and w random, outputs of the case: dy is their outer product.
func (d *draft) backward(y ir.Value, wrt map[string]ir.Value) {
	b := d.Builder
	rows, n := b.Dim(y, 0), b.Dim(y, 1)
	u, w := d.feed("u", 1, 1, rows), d.feed("w", 1, n, 1)
	loss := op.MatMul(b, op.MatMul(b, u, y, ir.None, op.Orientation{}, 1), w, ir.None, op.Orientation{}, 1)
	for _, name := range []string{"x", "weight", "bias", "up"} { // in a fixed order
		if v, ok := wrt[name]; ok {
			b.Output("d"+name, b.Grad(loss, []ir.Value{v})[0])
		}
	}
}

var modelSizes = [][2]int{{1, 1}, {1, 7}, {3, 5}, {7, 12}, {64, 64}, {65, 130}, {17, 768}}

func layerNormCases() []Case {
	var cases []Case
	for _, s := range modelSizes {
		for _, scale := range []float64{1, 300} {
			rows, n := s[0], s[1]
			cases = append(cases, newCase(fmt.Sprintf("layernorm %dx%d of size %g", rows, n, scale), layerNormTolerance*float64(1+rows/16), func(d *draft) {
				x, w, bias := d.state("x", scale, rows, n), d.state("weight", 1, n), d.state("bias", 1, n)
				y := op.LayerNorm(d.Builder, x, w, bias, 1e-2)
				d.Output("y", y)
				d.backward(y, map[string]ir.Value{"x": x, "weight": w, "bias": bias})
			}))
		}
	}
	return cases
}

func geluCases() []Case {
	var cases []Case
	for _, s := range modelSizes {
		rows, n := s[0], s[1]
		for _, tanh := range []bool{false, true} {
			cases = append(cases, newCase(fmt.Sprintf("gelu %dx%d, tanh %v", rows, n, tanh), activationTolerance, func(d *draft) {
				x := d.state("x", 3, rows, n)
				y := op.GELU(d.Builder, x, tanh)
				d.Output("y", y)
				d.backward(y, map[string]ir.Value{"x": x})
			}))
		}
		cases = append(cases, newCase(fmt.Sprintf("geglu %dx%d", rows, n), activationTolerance, func(d *draft) {
			x, up := d.state("x", 3, rows, n), d.state("up", 1, rows, n)
			y := op.GEGLU(d.Builder, x, up)
			d.Output("y", y)
			d.backward(y, map[string]ir.Value{"x": x, "up": up})
		}))
	}
	for _, tanh := range []bool{false, true} { // where exponentials overflow and vanish
		cases = append(cases, newCase(fmt.Sprintf("gelu far from zero, tanh %v", tanh), activationTolerance, func(d *draft) {
			x := d.state("x", 400, 9, 33)
			y := op.GELU(d.Builder, x, tanh)
			d.Output("y", y)
			d.backward(y, map[string]ir.Value{"x": x})
		}))
		cases = append(cases, newCase(fmt.Sprintf("gelu over its operand, tanh %v", tanh), activationTolerance, func(d *draft) {
			x := d.state("x", 1, 5, 12)
			d.Output("y", op.GELU(d.Builder, op.Add(d.Builder, x, x), tanh))
		}))
	}
	return cases
}

func sliceCases() []Case {
	var cases []Case
	for _, s := range [][4]int{{1, 1, 0, 1}, {3, 5, 1, 4}, {7, 12, 4, 12}, {64, 96, 32, 64}, {65, 131, 129, 131}} {
		rows, width, from, to := s[0], s[1], s[2], s[3]
		cases = append(cases, newCase(fmt.Sprintf("slice_columns %d to %d of %dx%d", from, to, rows, width), 1e-6, func(d *draft) {
			x := d.state("x", 1, rows, width)
			y := op.SliceColumns(d.Builder, x, from, to)
			d.Output("y", y)
			d.backward(y, map[string]ir.Value{"x": x})
		}))
	}
	return append(cases, newCase("a fused projection cut in three", 1e-5, func(d *draft) {
		const rows, n = 37, 24
		x := d.state("x", 1, rows, 3*n)
		q, k, v := op.SliceColumns(d.Builder, x, 0, n), op.SliceColumns(d.Builder, x, n, 2*n), op.SliceColumns(d.Builder, x, 2*n, 3*n)
		y := op.SwiGLU(d.Builder, op.SwiGLU(d.Builder, q, k), v)
		d.Output("y", y)
		d.backward(y, map[string]ir.Value{"x": x})
	}))
}

func groupNormCases() []Case {
	var cases []Case
	for _, s := range [][3]int{{1, 1, 1}, {3, 2, 5}, {7, 4, 16}, {33, 3, 64}, {65, 14, 64}} {
		rows, groups, n := s[0], s[1], s[2]
		for i, norm := range []func(*ir.Builder, ir.Value, ir.Value, float64) ir.Value{op.RMSNorm, op.RMSNormUnitOffset} {
			cases = append(cases, newCase(fmt.Sprintf("rmsnorm %d rows of %d groups of %d, unit offset %d", rows, groups, n, i), 1e-5*float64(1+rows/16), func(d *draft) {
				x, w := d.state("x", 1, rows, groups*n), d.state("weight", 1, n)
				y := norm(d.Builder, x, w, 1e-2)
				d.Output("y", y)
				d.backward(y, map[string]ir.Value{"x": x, "weight": w})
			}))
		}
	}
	return cases
}

func ropeShapeCases() []Case {
	var cases []Case
	for _, s := range []struct {
		rows, heads, pairs int
		shape              op.RopeShape
	}{
		{1, 1, 1, op.RopeShape{}}, {9, 3, 8, op.RopeShape{}}, {9, 3, 8, op.RopeShape{Interleaved: true}}, {33, 2, 16, op.RopeShape{HeadDim: 64}},
		{33, 2, 16, op.RopeShape{HeadDim: 64, Interleaved: true}}, {5, 3, 3, op.RopeShape{HeadDim: 7}}, {5, 3, 3, op.RopeShape{HeadDim: 7, Interleaved: true}},
	} {
		head := s.shape.HeadDim
		if head == 0 {
			head = 2 * s.pairs
		}
		cases = append(cases, newCase(fmt.Sprintf("rope %d of %d heads of %d, %d pairs, interleaved %v", s.rows, s.heads, head, s.pairs, s.shape.Interleaved), ropeTolerance, func(d *draft) {
			freq, at := make([]float32, s.pairs), make([]int32, s.rows)
			for i := range freq {
				freq[i] = float32(math.Pow(100, -float64(i)/float64(s.pairs)))
			}
			for i := range at {
				at[i] = int32(i * 7 % 100)
			}
			d.c.Feeds["positions"] = tensor.Ints(at, s.rows)
			x := d.state("x", 1, s.rows, s.heads*head)
			y := op.RoPE(d.Builder, x, d.Feed("positions", tensor.Of(tensor.I32, s.rows)), d.Constant(freq, s.pairs), s.shape)
			d.Output("y", y)
			d.backward(y, map[string]ir.Value{"x": x})
		}))
	}
	return cases
}
