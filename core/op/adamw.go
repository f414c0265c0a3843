package op

import (
	"math"

	"hone/core/ir"
	"hone/core/tensor"
)

// AdamWSettings are the constants of an AdamW update.
type AdamWSettings struct{ Beta1, Beta2, Epsilon, WeightDecay float64 }

// AdamW is one update of param with gradient grad·factor and moments m, v, all of one shape, as torch.optim.AdamW
// (Loshchilov and Hutter, "Decoupled weight decay regularization", algorithm 2):
//
//	g = grad·factor;  p -= lr·weight_decay·p;  m = β1·m + (1-β1)·g;  v = β2·v + (1-β2)·g²;
//	p -= step_size · m / (sqrt(v)/bias_correction2_sqrt + ε)
//
// A factor that is not finite, as clip_grad_norm gives for gradients that are not, leaves everything as it was: a run
// that meets infinity stops with the weights and moments of the step before.
// factor is [1]; rates is [3]: lr, step_size = lr/(1-β1^t), bias_correction2_sqrt = sqrt(1-β2^t), from AdamWRates.
func AdamW(b *ir.Builder, param, grad, m, v, factor, rates ir.Value, s AdamWSettings) (newParam, newM, newV ir.Value) {
	p := b.Apply("adamw", ir.Attrs{"beta1": s.Beta1, "beta2": s.Beta2, "epsilon": s.Epsilon, "weight_decay": s.WeightDecay}, param, grad, m, v, factor, rates)
	return p, b.Part(p, 1), b.Part(p, 2)
}

// AdamWRates gives the rates of update t = 1, 2, …, computed in float64 as PyTorch does.
func AdamWRates(lr float64, t int, s AdamWSettings) []float32 {
	return []float32{float32(lr), float32(lr / (1 - math.Pow(s.Beta1, float64(t)))), float32(math.Sqrt(1 - math.Pow(s.Beta2, float64(t))))}
}

func init() {
	ir.Register(ir.Def{
		Name: "adamw",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := same(in[:4]); err != nil {
				return nil, err
			}
			return []tensor.Type{in[0], in[2], in[3]}, wantAll(want(in, 4, tensor.F32, 1), want(in, 5, tensor.F32, 3))
		},
		InPlace: []int{0, 2, 3},
		Units:   unitsElements,
		F32:     adamW[float32], F64: adamW[float64],
	})
}

func adamW[T ir.Float](c *ir.Call[T], lo, hi int) {
	a := c.Attrs
	b1, b2, eps := T(a["beta1"]), T(a["beta2"]), T(a["epsilon"])
	c1, c2 := T(1-a["beta1"]), T(1-a["beta2"])
	factor, lr, step, root := c.In[4].F[0], c.In[5].F[0], c.In[5].F[1], c.In[5].F[2]
	decay := T(1 - float64(lr)*a["weight_decay"])
	p, grad, m, v := c.In[0].F, c.In[1].F, c.In[2].F, c.In[3].F
	if !finite(factor) {
		copy(c.Out[0].F[lo:hi], p[lo:hi])
		copy(c.Out[1].F[lo:hi], m[lo:hi])
		copy(c.Out[2].F[lo:hi], v[lo:hi])
		return
	}
	for i := lo; i < hi; i++ {
		g := grad[i] * factor
		mi := b1*m[i] + c1*g
		vi := b2*v[i] + c2*g*g
		c.Out[1].F[i], c.Out[2].F[i] = mi, vi
		c.Out[0].F[i] = p[i]*decay - step*mi/(T(math.Sqrt(float64(vi)))/root+eps)
	}
}
