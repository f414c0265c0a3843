package op

import (
	"math"

	"hone/core/ir"
	"hone/core/tensor"
)

// NoTarget marks a row without a target: it adds nothing to the loss.
const NoTarget = -100

// LinearCrossEntropy is the negative log likelihood, in nats, of targets [rows] under softmax(h·wᵀ), h [rows, n],
// w [vocabulary, n], which may be in F16 or BF16 when it is frozen; one number a row, 0 where the target is NoTarget. The logits exist only a few rows at a time: the
// memory grows with neither rows nor length (the fused loss of Liger Kernel).
func LinearCrossEntropy(b *ir.Builder, h, w, targets ir.Value) ir.Value {
	return b.Apply("linear_cross_entropy", nil, h, w, targets)
}

// logitRows is how many rows of logits are in memory at a time: at most 4 MiB of them, but no fewer than 8 rows.
func logitRows(rows, vocab int) int { return min(rows, max(8, (1<<20)/vocab)) }

func init() {
	// Results: nll [rows], lse [rows] (0 without a target), and the workspace for the logits.
	ir.Register(ir.Def{
		Name: "linear_cross_entropy",
		Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := inferLinearCrossEntropy(in); err != nil {
				return nil, err
			}
			rows, vocab := in[0].Shape[0], in[1].Shape[0]
			return []tensor.Type{f32(rows), f32(rows), f32(logitRows(rows, vocab), vocab)}, nil
		},
		Grad: func(b *ir.Builder, c ir.GradCall) []ir.Value {
			a, in := ir.Attrs{}, []ir.Value{c.In[0], c.In[1], c.In[2], c.Out[1], c.DOut[0]}
			if c.Needs[1] {
				a["weight"] = 1
				if c.Sums[1] != ir.None {
					in, c.Added[1] = append(in, c.Sums[1]), true
				}
			}
			g := b.Apply("linear_cross_entropy_grad", a, in...)
			out := []ir.Value{g, ir.None, ir.None}
			if c.Needs[1] {
				out[1] = b.Part(g, 2)
			}
			return out
		},
		Index: indexTargets,
		Units: unitsRows,
		F32:   linearCrossEntropy[float32], F64: linearCrossEntropy[float64],
		FLOPs: func(_ ir.Attrs, in, _ []tensor.Type) int64 {
			return 2 * int64(in[0].Elements()) * int64(in[1].Shape[0])
		},
	})
	// Results: dh, the workspace and, with attribute weight, dw, to which a sixth operand is added. The softmax is computed
	// again from lse.
	ir.Register(ir.Def{
		Name: "linear_cross_entropy_grad",
		Infer: func(a ir.Attrs, in []tensor.Type) ([]tensor.Type, error) {
			if err := inferLinearCrossEntropy(in); err != nil {
				return nil, err
			}
			rows, vocab := in[0].Shape[0], in[1].Shape[0]
			out := []tensor.Type{in[0], f32(logitRows(rows, vocab), vocab)}
			if a["weight"] != 0 {
				if err := want(in, 1, tensor.F32, 0, 0); err != nil {
					return nil, err // only an F32 weight trains
				}
				out = append(out, in[1])
				if len(in) > 5 {
					if err := want(in, 5, tensor.F32, vocab, in[0].Shape[1]); err != nil {
						return nil, err
					}
				}
			}
			return out, wantAll(want(in, 3, tensor.F32, rows), want(in, 4, tensor.F32, rows))
		},
		InPlace: []int{-1, -1, 5},
		Index:   indexTargets,
		F32:     linearCrossEntropyGrad[float32], F64: linearCrossEntropyGrad[float64],
		FLOPs: func(a ir.Attrs, in, _ []tensor.Type) int64 {
			return (4 + 2*int64(a.Int("weight"))) * int64(in[0].Elements()) * int64(in[1].Shape[0])
		},
	})
}

func indexTargets(_ ir.Attrs, in []tensor.Type) ir.Index {
	return ir.Index{Operand: 2, Below: in[1].Shape[0], Missing: NoTarget}
}

func inferLinearCrossEntropy(in []tensor.Type) error {
	if err := want(in, 0, tensor.F32, 0, 0); err != nil {
		return err
	}
	return wantAll(wantWeight(in, 1, 0, in[0].Shape[1]), want(in, 2, tensor.I32, in[0].Shape[0]))
}

func linearCrossEntropy[T ir.Float](c *ir.Call[T], lo, hi int) {
	n, vocab := c.In[0].Type.Shape[1], c.In[1].Type.Shape[0]
	logits, weight := make([]T, vocab), c.In[1].Values()
	for row := lo; row < hi; row++ {
		c.Out[0].F[row], c.Out[1].F[row] = 0, 0
		target := c.In[2].I[row]
		if target == NoTarget {
			continue
		}
		h, top := c.In[0].F[row*n:][:n], math.Inf(-1)
		for i := range logits {
			logits[i] = dot(h, weight[i*n:][:n])
			top = max(top, float64(logits[i]))
		}
		var sum float64
		for _, x := range logits {
			sum += math.Exp(float64(x) - top)
		}
		lse := T(top + math.Log(sum))
		c.Out[0].F[row], c.Out[1].F[row] = lse-logits[target], lse
	}
}

func linearCrossEntropyGrad[T ir.Float](c *ir.Call[T], _, _ int) {
	rows, n, vocab := c.In[0].Type.Shape[0], c.In[0].Type.Shape[1], c.In[1].Type.Shape[0]
	weight := c.In[1].Values()
	clear(c.Out[0].F)
	switch {
	case len(c.Out) > 2 && len(c.In) > 5:
		copy(c.Out[2].F, c.In[5].F)
	case len(c.Out) > 2:
		clear(c.Out[2].F)
	}
	for row := range rows {
		target := c.In[2].I[row]
		if target == NoTarget {
			continue
		}
		h, dh := c.In[0].F[row*n:][:n], c.Out[0].F[row*n:][:n]
		for i := range vocab {
			w := weight[i*n:][:n]
			d := T(math.Exp(float64(dot(h, w) - c.In[3].F[row])))
			if int32(i) == target {
				d -= 1
			}
			d *= c.In[4].F[row]
			for j := range dh {
				dh[j] += d * w[j]
			}
			if len(c.Out) > 2 {
				for j, x := range h {
					c.Out[2].F[i*n+j] += d * x
				}
			}
		}
	}
}
