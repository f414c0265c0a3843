package op

import (
	"hone/core/ir"
	"hone/core/tensor"
)

// SGD is one update of param with gradient grad·factor, as torch.optim.SGD without momentum:
// p -= lr·(grad·factor + weight_decay·p); nothing, where factor is not finite. factor is [1]; rates is that of AdamW, of which only the first, lr, is read.
func SGD(b *ir.Builder, param, grad, factor, rates ir.Value, weightDecay float64) ir.Value {
	return b.Apply("sgd", ir.Attrs{"weight_decay": weightDecay}, param, grad, factor, rates)
}

func init() {
	ir.Register(ir.Def{
		Name: "sgd",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			return in[:1], wantAll(same(in[:2]), want(in, 2, tensor.F32, 1), want(in, 3, tensor.F32, 3))
		},
		InPlace: []int{0},
		Units:   unitsElements,
		F32:     sgd[float32], F64: sgd[float64],
	})
}

func sgd[T ir.Float](c *ir.Call[T], lo, hi int) {
	factor, lr, wd := c.In[2].F[0], c.In[3].F[0], T(c.Attrs["weight_decay"])
	if !finite(factor) {
		copy(c.Out[0].F[lo:hi], c.In[0].F[lo:hi])
		return
	}
	for i := lo; i < hi; i++ {
		p := c.In[0].F[i]
		c.Out[0].F[i] = p - lr*(c.In[1].F[i]*factor+wd*p)
	}
}
