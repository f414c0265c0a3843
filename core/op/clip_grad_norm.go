package op

import (
	"math"

	"hone/core/ir"
	"hone/core/tensor"
)

// ClipGradNorm turns the sum of squares [1] of summed gradients and the number of tokens [1] that they were summed over
// into the factor [1] by which the update multiplies them, and the norm [1] of the mean gradient before clipping.
// As torch.nn.utils.clip_grad_norm_: c = max_grad_norm / (norm + 1e-6), factor = min(c, 1) / tokens; a max_grad_norm of
// 0 does not clip. The factor of a norm that is not finite is NaN, which the update takes as a sign to change nothing.
func ClipGradNorm(b *ir.Builder, sumSquares, tokens ir.Value, maxGradNorm float64) (factor, gradNorm ir.Value) {
	v := b.Apply("clip_grad_norm", ir.Attrs{"max_grad_norm": maxGradNorm}, sumSquares, tokens)
	return v, b.Part(v, 1)
}

func init() {
	ir.Register(ir.Def{
		Name: "clip_grad_norm",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			return []tensor.Type{f32(1), f32(1)}, wantAll(want(in, 0, tensor.F32, 1), want(in, 1, tensor.F32, 1))
		},
		F32: clipGradNorm[float32], F64: clipGradNorm[float64],
	})
}

func clipGradNorm[T ir.Float](c *ir.Call[T], _, _ int) {
	tokens := c.In[1].F[0]
	norm := T(math.Sqrt(float64(c.In[0].F[0]))) / tokens
	factor := T(1)
	if m := T(c.Attrs["max_grad_norm"]); m > 0 {
		factor = min(1, m/(norm+1e-6))
	}
	if !finite(norm) {
		factor = T(math.NaN())
	}
	c.Out[0].F[0], c.Out[1].F[0] = factor/tokens, norm
}

func finite[T ir.Float](x T) bool { return x-x == 0 }
