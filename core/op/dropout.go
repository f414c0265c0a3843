package op

import (
	"fmt"

	"hone/core/ir"
	"hone/core/rng"
	"hone/core/tensor"
)

// Dropout sets each element of x to 0 with probability p and scales the rest by 1/(1-p). key [4] holds the two words of
// the seed and the two of the step of an rng.Key; stream tells the dropouts of one program apart. The mask is drawn
// from the counter, so the backward pass and a recomputed forward draw the same one.
func Dropout(b *ir.Builder, x, key ir.Value, p float64, stream int) ir.Value {
	return b.Apply("dropout", ir.Attrs{"p": p, "stream": float64(stream)}, x, key)
}

func init() {
	ir.Register(ir.Def{
		Name: "dropout",
		Infer: func(a ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if a["p"] < 0 || a["p"] >= 1 {
				return nil, fmt.Errorf("probability %v is not in [0, 1)", a["p"])
			}
			return in[:1], wantAll(same(in[:1]), want(in, 1, tensor.I32, 4))
		},
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			return []ir.Value{b.Apply("dropout", c.Attrs, c.DOut[0], c.In[1]), ir.None}
		},
		InPlace: []int{0},
		Units:   unitsElements,
		F32:     dropout[float32], F64: dropout[float64],
	})
}

// DropoutKey is what a host feeds as key.
func DropoutKey(k rng.Key) []int32 {
	return []int32{int32(uint32(k.Seed)), int32(uint32(k.Seed >> 32)), int32(uint32(k.Step)), int32(uint32(k.Step >> 32))}
}

func dropout[T ir.Float](c *ir.Call[T], lo, hi int) {
	w := c.In[1].I
	key := rng.Key{Seed: uint64(uint32(w[0])) | uint64(uint32(w[1]))<<32, Step: uint64(uint32(w[2])) | uint64(uint32(w[3]))<<32}
	p := c.Attrs["p"]
	keep, first := T(1/(1-p)), uint64(c.Attrs.Int("stream"))<<40
	var block [4]uint32
	for i := lo; i < hi; i++ {
		at := first + uint64(i)
		if at%4 == 0 || i == lo {
			block = key.Block(at / 4)
		}
		if float64(block[at%4]>>8)*0x1p-24 >= p {
			c.Out[0].F[i] = c.In[0].F[i] * keep
		} else {
			c.Out[0].F[i] = 0
		}
	}
}
