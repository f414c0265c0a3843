package op

import (
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/tensor"
)

// TopK gives the k greatest elements of x, the greater first and of equal ones that with the lower place, and their places in
// x, as floats. NaN counts as greater than all, so that it is seen; -0 and 0 are equal. The order is total, so every device
// gives the same. A language model's next token is chosen from a few dozen of its logits, of which there may be 152,000.
func TopK(b *ir.Builder, x ir.Value, k int) (values, places ir.Value) {
	v := b.Apply("top_k", ir.Attrs{"k": float64(k)}, x)
	return v, b.Part(v, 1)
}

func init() {
	ir.Register(ir.Def{
		Name: "top_k",
		Infer: func(a ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := same(in); err != nil {
				return nil, err
			}
			k, n := a.Int("k"), in[0].Elements()
			if k < 1 || k > n || n > 1<<24 {
				return nil, fmt.Errorf("%d of %d elements are asked for; it must be at least 1, at most all, and of at most 2^24", k, n)
			}
			return []tensor.Type{f32(k), f32(k)}, nil
		},
		F32: topK[float32], F64: topK[float64],
	})
}

// topK keeps the k greatest so far in order; most elements are less than the last of them.
func topK[T ir.Float](c *ir.Call[T], _, _ int) {
	values, places := c.Out[0].F, c.Out[1].F
	n := 0
	for i, x := range c.In[0].F {
		if n == len(values) && !before(x, values[n-1]) {
			continue
		}
		at := min(n, len(values)-1)
		for ; at > 0 && before(x, values[at-1]); at-- {
			values[at], places[at] = values[at-1], places[at-1]
		}
		values[at], places[at] = x, T(i)
		n = min(n+1, len(values))
	}
}

// before is the order of top_k for an element that comes later in the tensor.
func before[T ir.Float](x, y T) bool {
	return x > y || math.IsNaN(float64(x)) && !math.IsNaN(float64(y))
}
