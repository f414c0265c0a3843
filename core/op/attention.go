package op

import (
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/tensor"
)

// AttentionShape says how rows and columns of queries, keys and values are cut.
type AttentionShape struct {
	Batch          int     // queries are [Batch·Tq, Heads·HeadDim], keys and values [Batch·Tk, KVHeads·HeadDim]
	Heads, KVHeads int     // query head h reads key/value head h / (Heads/KVHeads)
	HeadDim        int     //
	Scale          float64 // of the scores; 1/sqrt(head_dim) for most models
	Window         int     // sliding window: how many positions back a query sees, itself included; 0 is all
}

// Tokens names the values that decide who sees whom. Each is I32, one number a row.
type Tokens struct{ Segments, Positions ir.Value }

// Attention is softmax(q·kᵀ·scale)·v per head, streamed: no matrix of scores is stored (Milakov and Gimelshein,
// "Online normalizer calculation for softmax"; Dao et al., "FlashAttention"). A key is visible to a query of the same
// batch row when both are in the same segment, the key's position is not above the query's, and it is inside the
// window. Segment 0 is padding: it sees nothing, is seen by nothing, and its result is 0. A key of segment -1 is seen
// from every segment but 0: the prefix of prefix tuning.
func Attention(b *ir.Builder, q, k, v ir.Value, query, key Tokens, s AttentionShape) ir.Value {
	return b.Apply("attention", ir.Attrs{"batch": float64(s.Batch), "heads": float64(s.Heads), "kv_heads": float64(s.KVHeads),
		"head_dim": float64(s.HeadDim), "scale": s.Scale, "window": float64(s.Window)},
		q, k, v, query.Segments, query.Positions, key.Segments, key.Positions)
}

// Operands of attention and, behind out, lse and dout, of its gradient.
const (
	attnQ = iota
	attnK
	attnV
	attnQSeg
	attnQPos
	attnKSeg
	attnKPos
	attnOut
	attnLSE
	attnDOut
)

func init() {
	// Results: out like q, and lse [rows, heads], the logarithm of each query's sum of exponentials (0 where it sees nothing).
	ir.Register(ir.Def{
		Name: "attention",
		Infer: func(a ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := inferAttention(a, in); err != nil {
				return nil, err
			}
			return []tensor.Type{in[attnQ], f32(in[attnQ].Shape[0], a.Int("heads"))}, nil
		},
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			g := b.Apply("attention_grad", c.Attrs, append(append([]ir.Value{}, c.In...), c.Out[0], c.Out[1], c.DOut[0])...)
			return []ir.Value{g, b.Part(g, 1), b.Part(g, 2), ir.None, ir.None, ir.None, ir.None}
		},
		Units: unitsRows,
		F32:   attention[float32], F64: attention[float64],
		FLOPs: func(a ir.Attrs, in, _ []tensor.Type) int64 { return attentionFLOPs(a, in, 2) },
	})
	// Results: gradients of q, k and v.
	ir.Register(ir.Def{
		Name: "attention_grad",
		Infer: func(a ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := inferAttention(a, in); err != nil {
				return nil, err
			}
			return in[:3], wantAll(want(in, attnOut, tensor.F32, in[0].Shape...), want(in, attnLSE, tensor.F32, in[0].Shape[0], a.Int("heads")),
				want(in, attnDOut, tensor.F32, in[0].Shape...))
		},
		Units: func(a ir.Attrs, _, _ []tensor.Type) int { return a.Int("batch") * a.Int("kv_heads") },
		F32:   attentionGrad[float32], F64: attentionGrad[float64],
		FLOPs: func(a ir.Attrs, in, _ []tensor.Type) int64 { return attentionFLOPs(a, in, 5) },
	})
}

func inferAttention(a ir.Attrs, in []tensor.Type) error {
	if len(in) < 7 {
		return fmt.Errorf("%d operands, wanted at least 7", len(in))
	}
	batch, heads, kv, dim := a.Int("batch"), a.Int("heads"), a.Int("kv_heads"), a.Int("head_dim")
	if batch < 1 || heads < 1 || kv < 1 || dim < 1 || heads%kv != 0 {
		return fmt.Errorf("batch %d, heads %d, kv_heads %d, head_dim %d do not fit together", batch, heads, kv, dim)
	}
	if err := wantAll(want(in, attnQ, tensor.F32, 0, heads*dim), want(in, attnK, tensor.F32, 0, kv*dim)); err != nil {
		return err
	}
	rq, rk := in[attnQ].Shape[0], in[attnK].Shape[0]
	if rq%batch != 0 || rk%batch != 0 {
		return fmt.Errorf("%d queries and %d keys cannot be cut into %d batch rows", rq, rk, batch)
	}
	return wantAll(want(in, attnV, tensor.F32, rk, kv*dim), want(in, attnQSeg, tensor.I32, rq), want(in, attnQPos, tensor.I32, rq),
		want(in, attnKSeg, tensor.I32, rk), want(in, attnKPos, tensor.I32, rk))
}

// attentionFLOPs counts products of length head_dim over the half of the pairs that causality leaves.
func attentionFLOPs(a ir.Attrs, in []tensor.Type, products int64) int64 {
	tq, tk := int64(in[attnQ].Shape[0]), int64(in[attnK].Shape[0]/a.Int("batch"))
	pairs := tq * tk
	if tk > 1 && in[attnQ].Shape[0] == in[attnK].Shape[0] {
		pairs = tq * (tk + 1) / 2
	}
	return 2 * products * pairs * int64(a.Int("heads")) * int64(a.Int("head_dim"))
}

// attentionView is the geometry of a call and its mask.
type attentionView[T ir.Float] struct {
	c                      *ir.Call[T]
	tq, tk, heads, kv, dim int
	scale                  T
	window                 int32
}

func viewAttention[T ir.Float](c *ir.Call[T]) attentionView[T] {
	a := c.Attrs
	return attentionView[T]{c, c.In[attnQ].Type.Shape[0] / a.Int("batch"), c.In[attnK].Type.Shape[0] / a.Int("batch"),
		a.Int("heads"), a.Int("kv_heads"), a.Int("head_dim"), T(a["scale"]), int32(a.Int("window"))}
}

func (v *attentionView[T]) visible(query, key int) bool {
	qs, ks := v.c.In[attnQSeg].I[query], v.c.In[attnKSeg].I[key]
	qp, kp := v.c.In[attnQPos].I[query], v.c.In[attnKPos].I[key]
	return qs != 0 && (ks == qs || ks == -1) && kp <= qp && (v.window == 0 || qp-kp < v.window)
}

// head is the slice of one head in a row of q-like (or, with kv heads, k-like) data.
func (v *attentionView[T]) head(f []T, row, heads, h int) []T {
	return f[(row*heads+h)*v.dim:][:v.dim]
}

func dot[T ir.Float](a, b []T) T {
	var s T
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

func attention[T ir.Float](c *ir.Call[T], lo, hi int) {
	v := viewAttention(c)
	for query := lo; query < hi; query++ {
		firstKey := query / v.tq * v.tk
		for h := range v.heads {
			q, out := v.head(c.In[attnQ].F, query, v.heads, h), v.head(c.Out[0].F, query, v.heads, h)
			clear(out)
			top, sum := math.Inf(-1), T(0)
			for key := firstKey; key < firstKey+v.tk; key++ {
				if !v.visible(query, key) {
					continue
				}
				kvHead := h / (v.heads / v.kv)
				s := dot(q, v.head(c.In[attnK].F, key, v.kv, kvHead)) * v.scale
				if float64(s) > top { // rescale what was summed under the old maximum
					f := T(math.Exp(top - float64(s)))
					top, sum = float64(s), sum*f
					for i := range out {
						out[i] *= f
					}
				}
				p := T(math.Exp(float64(s) - top))
				sum += p
				for i, x := range v.head(c.In[attnV].F, key, v.kv, kvHead) {
					out[i] += p * x
				}
			}
			lse := T(0)
			if sum != 0 { // NaN included
				lse = T(top + math.Log(float64(sum)))
				for i := range out {
					out[i] /= sum
				}
			}
			c.Out[1].F[query*v.heads+h] = lse
		}
	}
}

// attentionGrad handles whole key/value heads of batch rows. With p = exp(s - lse): dv = pᵀ·dout,
// ds = p·(dout·v - Σ dout·out), dq = scale·ds·k, dk = scale·dsᵀ·q.
func attentionGrad[T ir.Float](c *ir.Call[T], lo, hi int) {
	v := viewAttention(c)
	group := v.heads / v.kv
	for unit := lo; unit < hi; unit++ {
		batch, kvHead := unit/v.kv, unit%v.kv
		for key := batch * v.tk; key < (batch+1)*v.tk; key++ {
			clear(v.head(c.Out[1].F, key, v.kv, kvHead))
			clear(v.head(c.Out[2].F, key, v.kv, kvHead))
		}
		for query := batch * v.tq; query < (batch+1)*v.tq; query++ {
			for h := kvHead * group; h < (kvHead+1)*group; h++ {
				q, dout := v.head(c.In[attnQ].F, query, v.heads, h), v.head(c.In[attnDOut].F, query, v.heads, h)
				dq := v.head(c.Out[0].F, query, v.heads, h)
				clear(dq)
				lse := c.In[attnLSE].F[query*v.heads+h]
				delta := dot(dout, v.head(c.In[attnOut].F, query, v.heads, h))
				for key := batch * v.tk; key < (batch+1)*v.tk; key++ {
					if !v.visible(query, key) {
						continue
					}
					k, val := v.head(c.In[attnK].F, key, v.kv, kvHead), v.head(c.In[attnV].F, key, v.kv, kvHead)
					dk, dv := v.head(c.Out[1].F, key, v.kv, kvHead), v.head(c.Out[2].F, key, v.kv, kvHead)
					p := T(math.Exp(float64(dot(q, k)*v.scale - lse)))
					ds := p * (dot(dout, val) - delta) * v.scale
					for i := range dq {
						dv[i] += p * dout[i]
						dq[i] += ds * k[i]
						dk[i] += ds * q[i]
					}
				}
			}
		}
	}
}
