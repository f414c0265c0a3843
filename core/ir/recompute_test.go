package ir_test

import (
	"fmt"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/rng"
	"hone/core/tensor"
)

const (
	toyRows, toyWidth, toyInner = 6, 8, 12
	toyBytes                    = 4 * toyRows * toyWidth // of what enters a block
)

// toy is a decoder of depth blocks with attention, a gated MLP and dropout, whose normalisations are trained, and so is
// its first layer: the gradient goes through everything. The matrices are frozen. Gradients are outputs.
func toy(t *testing.T, depth int, recompute bool) *ir.Graph {
	t.Helper()
	return trace(t, func(b *ir.Builder) {
		b.SetRecompute(recompute)
		at := op.Tokens{Segments: b.Feed("segments", tensor.Of(tensor.I32, toyRows)), Positions: b.Feed("positions", tensor.Of(tensor.I32, toyRows))}
		key := b.Feed("key", tensor.Of(tensor.I32, 4))
		names, wrt := []string{"first"}, []ir.Value{b.State("first", f32(toyWidth, toyWidth))}
		linear := func(name string, x ir.Value, out int) ir.Value {
			return op.Linear(b, x, b.Frozen(name, f32(out, b.Dim(x, 1))))
		}
		h := op.Linear(b, b.Feed("x", f32(toyRows, toyWidth)), wrt[0])
		for i := range depth {
			b.Block(func() {
				norm := func(name string) ir.Value {
					names = append(names, fmt.Sprintf("%s%d", name, i))
					wrt = append(wrt, b.State(names[len(names)-1], f32(toyWidth)))
					return op.RMSNorm(b, h, wrt[len(wrt)-1], 1e-5)
				}
				x := norm("attention")
				half := b.Constant([]float32{1, 0.1}, 2)
				q := op.RoPE(b, linear("q", x, toyWidth), at.Positions, half, op.RopeShape{})
				k := op.RoPE(b, linear("k", x, toyWidth), at.Positions, half, op.RopeShape{})
				a := op.Attention(b, q, k, linear("v", x, toyWidth), at, at, op.AttentionShape{Batch: 1, Heads: 2, KVHeads: 2, HeadDim: 4, Scale: 0.5})
				h = op.Add(b, h, op.Dropout(b, linear("o", a, toyWidth), key, 0.25, i))
				x = norm("mlp")
				h = op.Add(b, h, linear("down", op.SwiGLU(b, linear("gate", x, toyInner), linear("up", x, toyInner)), toyWidth))
			})
		}
		loss := op.Sum(b, op.LinearCrossEntropy(b, h, b.Frozen("head", f32(7, toyWidth)), b.Feed("targets", tensor.Of(tensor.I32, toyRows))))
		b.Output("loss", loss)
		for i, g := range b.Grad(loss, wrt) {
			b.Output(names[i], g)
		}
	})
}

func toyFeeds(g *ir.Graph) values {
	feeds := fill(g, g.Feeds, 1)
	copy(feeds["segments"].I, []int32{1, 1, 1, 2, 2, 0})
	copy(feeds["positions"].I, []int32{0, 1, 2, 0, 1, 0})
	copy(feeds["targets"].I, []int32{3, 6, op.NoTarget, 0, 1, op.NoTarget})
	copy(feeds["key"].I, op.DropoutKey(rng.NewKey(1, rng.Dropout, 2)))
	return feeds
}

// Recomputing changes no bit of any gradient: kept, recomputed, and each in planned memory.
func TestRecomputeGivesTheSameGradients(t *testing.T) {
	keep, re := toy(t, 2, false), toy(t, 2, true)
	feeds, states := toyFeeds(keep), fill(keep, keep.States, 0.5)
	want, _, err := ir.Interpret(keep, feeds, states)
	if err != nil {
		t.Fatal(err)
	}
	if !finite(want) || len(want) != 6 {
		t.Fatalf("%d outputs, want a finite loss and five gradients", len(want))
	}
	for name, g := range want {
		zero := true
		for _, x := range g.F {
			zero = zero && x == 0
		}
		if zero {
			t.Errorf("%q is zero: the test sees nothing", name)
		}
	}
	got, _, err := ir.Interpret(re, feeds, states)
	if err != nil {
		t.Fatal(err)
	}
	if d := difference(got, want); d != "" {
		t.Errorf("recomputed: %s", d)
	}
	for _, g := range []*ir.Graph{keep, re} {
		if _, err := agree(g, feeds, states); err != nil {
			t.Errorf("planned: %v", err)
		}
	}
}

// What a gradient rule reads of a block is computed a second time, once; nothing else is, and nothing outside of blocks.
func TestRecomputeRunsBlocksTwice(t *testing.T) {
	keep, re := toy(t, 3, false), toy(t, 3, true)
	for name, times := range map[string]int{"attention": 2, "rmsnorm": 2, "linear_cross_entropy": 1, "attention_grad": 1, "swiglu_grad": 1,
		"swiglu": 1, // only the frozen matrix behind it reads the product
	} {
		if got, want := count(re, name), times*count(keep, name); got != want {
			t.Errorf("%d nodes of %s, want %d", got, name, want)
		}
	}
}

// What recomputing keeps of a block is the value that enters it, and no more.
func TestRecomputeKeepsBlockInputsOnly(t *testing.T) {
	bytes := func(depth int, recompute bool) int64 { return ir.NewPlan(toy(t, depth, recompute)).TemporaryBytes() }
	const shallow, deep = 4, 20
	perBlock := func(recompute bool) int64 {
		return (bytes(deep, recompute) - bytes(shallow, recompute)) / (deep - shallow)
	}
	// The gradients of a block's two normalisations are outputs of this program, and live to its end too.
	const gradients = 2 * 4 * toyWidth
	if got := perBlock(true); got < toyBytes || got > toyBytes+gradients {
		t.Errorf("recomputing, a block keeps %d bytes; what enters it has %d, its gradients %d", got, toyBytes, gradients)
	}
	// Two residual sums, q, k, v, attention, gate and up are read again.
	if got := perBlock(false); got < 8*toyBytes {
		t.Errorf("without recomputing, a block keeps %d bytes, want at least %d", got, 8*toyBytes)
	}
	if a, b := bytes(deep, true), bytes(deep, false); 3*a > b {
		t.Errorf("%d blocks take %d bytes with recomputing and %d without", deep, a, b)
	}
}
