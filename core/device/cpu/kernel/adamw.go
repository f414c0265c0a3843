package kernel

import "math"

// AdamWStep holds the settings of one update. Those in float64 are combined before they are rounded, as PyTorch does.
type AdamWStep struct {
	Beta1, Beta2, Eps, WeightDecay float64
	LR                             float32
	StepSize                       float32 // lr/(1-β1ᵗ)
	RootCorrection                 float32 // √(1-β2ᵗ)
	GradScale                      float32 // the gradient is multiplied by it first (clipping); 1 leaves it alone
}

type adamwConsts struct {
	gradScale, decay, oneMinusB1, b2, oneMinusB2, sqrtC2, eps, minusStep float32
}

// AdamW updates parameters p and moments m, v from the gradient g, with decoupled weight decay (Loshchilov and Hutter, 2019).
// Every operation is rounded to float32, in the order of torch.optim.AdamW's plain loop:
// p·(1-lr·wd); m + (1-β1)·(g-m); v·β2 + (1-β2)·g·g; p - (lr/(1-β1ᵗ))·m/(√v/√(1-β2ᵗ) + ε).
func AdamW(p, m, v, g []float32, s AdamWStep) {
	n := len(p)
	mustHave("a slice of AdamW", min(len(m), len(v), len(g)), n)
	active.adamw(p, m[:n], v[:n], g[:n], adamwConsts{
		gradScale: s.GradScale, decay: float32(1 - float64(s.LR)*s.WeightDecay),
		oneMinusB1: float32(1 - s.Beta1), b2: float32(s.Beta2), oneMinusB2: float32(1 - s.Beta2),
		sqrtC2: s.RootCorrection, eps: float32(s.Eps), minusStep: -s.StepSize,
	})
}

// adamwPlain's conversions keep the compiler from fusing a product with a sum, which would skip a rounding.
func adamwPlain(p, m, v, g []float32, c adamwConsts) {
	m, v, g = m[:len(p)], v[:len(p)], g[:len(p)]
	for i := range p {
		gi := g[i] * c.gradScale
		pi := p[i] * c.decay
		mi := m[i] + float32(c.oneMinusB1*(gi-m[i]))
		vi := float32(v[i]*c.b2) + float32(float32(c.oneMinusB2*gi)*gi)
		den := float32(float32(math.Sqrt(float64(vi)))/c.sqrtC2) + c.eps
		m[i], v[i] = mi, vi
		p[i] = pi + float32(c.minusStep*mi)/den
	}
}
