package cpu

import (
	"hone/core/device/cpu/kernel"
	"hone/core/ir"
	"hone/core/tensor"
)

// fastKernel runs a node in a faster way than its reference kernel.
type fastKernel func(d *Device, s *step)

// fast are the operators in which the time of a step goes.
var fast = map[string]fastKernel{
	"matmul":                    fastMatMul,
	"linear_cross_entropy":      fastLinearCrossEntropy,
	"linear_cross_entropy_grad": fastLinearCrossEntropyGrad,
	"attention":                 fastAttention,
	"attention_grad":            fastAttentionGrad,
	"rmsnorm":                   fastRMSNorm,
	"rmsnorm_grad_x":            fastRMSNormGradX,
	"rmsnorm_grad_weight":       fastRMSNormGradWeight,
	"layernorm":                 fastLayerNorm,
	"layernorm_grad_x":          fastLayerNormGradX,
	"layernorm_grad_weight":     fastLayerNormGradWeight,
	"rope":                      fastRoPE,
	"add_bias":                  fastAddBias,
	"add_bias_grad":             fastAddBiasGrad,
	"embedding_grad":            fastEmbeddingGrad,
	"swiglu":                    fastSwiGLU,
	"swiglu_grad":               fastSwiGLUGrad,
	"gelu":                      fastGELU,
	"gelu_grad":                 fastGELUGrad,
	"geglu":                     fastGEGLU,
	"geglu_grad":                fastGEGLUGrad,
	"dropout":                   fastDropout,
	"add":                       fastAdd,
	"scale":                     fastScale,
	"zeros_like":                fastZerosLike,
	"sum_squares":               fastSumSquares,
	"adamw":                     fastAdamW,
}

// reference runs the node's plain kernel, cut into pieces for the threads.
func (d *Device) reference(s *step) {
	d.pool.Run(s.units, func(_, lo, hi int) { s.def.F32(s.call, lo, hi) })
}

// rowsOf takes a matrix as left operand, by rows or transposed.
func rowsOf(t ir.Tensor[float32], transposed bool) kernel.A {
	if transposed {
		return kernel.Cols(t.F, t.Type.Shape[1])
	}
	return kernel.Rows(t.F, t.Type.Shape[1])
}

// weightOf takes a matrix as right operand in whatever way it lies, as it is or transposed.
func weightOf(w operand, transposed bool) kernel.B {
	switch {
	case w.NF4 != nil && transposed:
		return kernel.CodedT(func(dst []float32, from int) { decodeNF4(w.NF4, dst, from) })
	case w.NF4 != nil:
		return kernel.Coded(func(dst []float32, from int) { decodeNF4(w.NF4, dst, from) })
	case w.Half != nil:
		return halfOf(w, transposed)
	case w.panels && transposed:
		return kernel.PanelsT(w.F)
	case w.panels:
		return kernel.Panels(w.F)
	case transposed:
		return kernel.WeightT(w.F, w.Type.Shape[1])
	}
	return kernel.Weight(w.F, w.Type.Shape[1])
}

// halfOf is weightOf for a matrix in F16 or BF16.
func halfOf(w operand, transposed bool) kernel.B {
	form := kernel.F16
	if w.Type.DType == tensor.BF16 {
		form = kernel.BF16
	}
	switch {
	case w.panels && transposed:
		return kernel.HalfPanelsT(w.Half, form)
	case w.panels:
		return kernel.HalfPanels(w.Half, form)
	case transposed:
		return kernel.HalfWeightT(w.Half, form, w.Type.Shape[1])
	}
	return kernel.HalfWeight(w.Half, form, w.Type.Shape[1])
}

func fastMatMul(d *Device, s *step) {
	a := s.call.Attrs
	ta, tb := a["transpose_a"] != 0, a["transpose_b"] != 0
	out := s.call.Out[0]
	m, n, k := out.Type.Shape[0], out.Type.Shape[1], s.in[0].Type.Shape[1]
	if ta {
		k = s.in[0].Type.Shape[0]
	}
	add := len(s.in) > 2
	if add && &out.F[0] != &s.in[2].F[0] {
		copy(out.F, s.in[2].F)
	}
	if q := s.in[1].NF4; q != nil && m >= decodeRows {
		d.multiplyNF4(m, n, k, float32(a["alpha"]), rowsOf(s.in[0].Tensor, ta), q, tb, out.F, add)
		return
	}
	d.pool.Gemm(m, n, k, float32(a["alpha"]), rowsOf(s.in[0].Tensor, ta), weightOf(s.in[1], tb), out.F, n, add)
}
