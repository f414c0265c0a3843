package optim

import (
	"fmt"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// Param is a trained tensor and whether weight decay applies to it.
type Param struct {
	Name  string
	Shape tensor.Shape
	Decay bool
}

// Settings of an optimiser.
type Settings struct {
	Optim       string // adamw or sgd
	AdamW       op.AdamWSettings
	MaxGradNorm float64 // 0 does not clip
}

// Gradient is the state in which the gradient of a parameter is summed over the micro-batches of a step.
func Gradient(param string) string { return "grad." + param }

// Moments are the states that the optimiser keeps for a parameter, named as in PyTorch's state dictionaries.
func (s Settings) Moments(param string) []string {
	if s.Optim == "adamw" {
		return []string{"exp_avg." + param, "exp_avg_sq." + param}
	}
	return nil
}

// Apply traces the update: the norm of all gradients, clipping, the update of every parameter, and gradients set back to
// zero. Feeds: tokens [1], that the summed gradient is divided by, and rates [3] (op.AdamWRates). Output: grad_norm.
func Apply(b *ir.Builder, params []Param, s Settings) {
	tokens := b.Feed("tokens", tensor.Of(tensor.F32, 1))
	rates := b.Feed("rates", tensor.Of(tensor.F32, 3))
	total := b.Constant([]float32{0}, 1)
	grads := make([]ir.Value, len(params))
	for i, p := range params {
		grads[i] = b.State(Gradient(p.Name), tensor.Of(tensor.F32, p.Shape...))
		total = op.SumSquares(b, grads[i], total)
	}
	factor, norm := op.ClipGradNorm(b, total, tokens, s.MaxGradNorm)
	b.Output("grad_norm", norm)
	for i, p := range params {
		t := tensor.Of(tensor.F32, p.Shape...)
		value := b.State(p.Name, t)
		settings := s.AdamW
		if !p.Decay {
			settings.WeightDecay = 0
		}
		switch s.Optim {
		case "adamw":
			names := s.Moments(p.Name)
			value, m, v := op.AdamW(b, value, grads[i], b.State(names[0], t), b.State(names[1], t), factor, rates, settings)
			b.Assign(p.Name, value)
			b.Assign(names[0], m)
			b.Assign(names[1], v)
		case "sgd":
			b.Assign(p.Name, op.SGD(b, value, grads[i], factor, rates, settings.WeightDecay))
		default:
			b.Fail("optim %q is not known; known are adamw, sgd", s.Optim)
		}
		b.Assign(Gradient(p.Name), op.ZerosLike(b, grads[i]))
	}
}

// Rates are what Apply is fed as rates for update k = 0, 1, ….
func (s Settings) Rates(lr float64, k int) ([]float32, error) {
	switch s.Optim {
	case "adamw":
		return op.AdamWRates(lr, k+1, s.AdamW), nil
	case "sgd":
		return []float32{float32(lr), 0, 0}, nil
	}
	return nil, fmt.Errorf("optim %q is not known; known are adamw, sgd", s.Optim)
}
