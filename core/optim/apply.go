package optim

import (
	"fmt"
	"strings"

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
	Optim       string // adamw, paged_adamw or sgd
	AdamW       op.AdamWSettings
	MaxGradNorm float64 // 0 does not clip
}

// rule is the optimiser without where its moments lie, which changes no number.
func (s Settings) rule() string { return strings.TrimPrefix(s.Optim, "paged_") }

// Pages reports whether moments may lie in the host's memory.
func (s Settings) Pages() bool { return s.rule() != s.Optim }

// Gradient is the state in which the gradient of a parameter is summed over the micro-batches of a step.
func Gradient(param string) string { return "grad." + param }

// Moments are the states that the optimiser keeps for a parameter, named as in PyTorch's state dictionaries.
func (s Settings) Moments(param string) []string {
	if s.rule() == "adamw" {
		return []string{"exp_avg." + param, "exp_avg_sq." + param}
	}
	return nil
}

// Apply traces the whole end of a step: the norm of all gradients, clipping, the update of every parameter, and gradients set
// back to zero. Feeds: tokens [1], that the summed gradient is divided by, and rates [3] (op.AdamWRates). Output: grad_norm.
func Apply(b *ir.Builder, params []Param, s Settings) {
	factor := clip(b, params, s)
	update(b, params, s, factor)
}

// Clip traces the first part of Apply alone. Outputs: grad_norm and factor [1], which Update is fed with.
func Clip(b *ir.Builder, params []Param, s Settings) {
	b.Output("factor", clip(b, params, s))
}

// Update traces the second part of Apply for some of the parameters. Feeds: factor [1] and rates [3].
func Update(b *ir.Builder, params []Param, s Settings) {
	update(b, params, s, b.Feed("factor", tensor.Of(tensor.F32, 1)))
}

func gradient(b *ir.Builder, p Param) ir.Value {
	return b.State(Gradient(p.Name), tensor.Of(tensor.F32, p.Shape...))
}

func clip(b *ir.Builder, params []Param, s Settings) (factor ir.Value) {
	tokens := b.Feed("tokens", tensor.Of(tensor.F32, 1))
	total := b.Constant([]float32{0}, 1)
	for _, p := range params {
		total = op.SumSquares(b, gradient(b, p), total)
	}
	factor, norm := op.ClipGradNorm(b, total, tokens, s.MaxGradNorm)
	b.Output("grad_norm", norm)
	return factor
}

func update(b *ir.Builder, params []Param, s Settings, factor ir.Value) {
	rates := b.Feed("rates", tensor.Of(tensor.F32, 3))
	for _, p := range params {
		t := tensor.Of(tensor.F32, p.Shape...)
		value, grad := b.State(p.Name, t), gradient(b, p)
		settings := s.AdamW
		if !p.Decay {
			settings.WeightDecay = 0
		}
		switch s.rule() {
		case "adamw":
			names := s.Moments(p.Name)
			value, m, v := op.AdamW(b, value, grad, b.State(names[0], t), b.State(names[1], t), factor, rates, settings)
			b.Assign(p.Name, value)
			b.Assign(names[0], m)
			b.Assign(names[1], v)
		case "sgd":
			b.Assign(p.Name, op.SGD(b, value, grad, factor, rates, settings.WeightDecay))
		default:
			b.Fail("optim %q is not known; known are adamw, paged_adamw, sgd", s.Optim)
		}
		b.Assign(Gradient(p.Name), op.ZerosLike(b, grad))
	}
}

// Rates are what Apply is fed as rates for update k = 0, 1, ….
func (s Settings) Rates(lr float64, k int) ([]float32, error) {
	switch s.rule() {
	case "adamw":
		return op.AdamWRates(lr, k+1, s.AdamW), nil
	case "sgd":
		return []float32{float32(lr), 0, 0}, nil
	}
	return nil, fmt.Errorf("optim %q is not known; known are adamw, paged_adamw, sgd", s.Optim)
}
