package ir_test

import (
	"math"
	"testing"

	"hone/core/ir"
	"hone/core/op"
)

// gradients runs a program with one state x at float64 and returns its outputs.
func gradients(t *testing.T, x []float64, f func(b *ir.Builder, x ir.Value)) map[string]ir.Tensor[float64] {
	t.Helper()
	typ := f32(1, len(x))
	g := trace(t, func(b *ir.Builder) { f(b, b.State("x", typ)) })
	out, _, err := ir.Interpret(g, nil, map[string]ir.Tensor[float64]{"x": {Type: typ, F: x}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func expect(t *testing.T, what string, got, want []float64) {
	t.Helper()
	for i, w := range want {
		if len(got) != len(want) || !(math.Abs(got[i]-w) <= 1e-14*math.Abs(w)) {
			t.Errorf("%s is %v, want %v", what, got, want)
			return
		}
	}
}

// A value that is used several times, also twice by one node and by nodes that are used several times, gets the sum.
func TestGradAddsUpOverUses(t *testing.T) {
	x := []float64{1, -2, 3}
	out := gradients(t, x, func(b *ir.Builder, x ir.Value) {
		double := op.Add(b, x, x)                                                               // 2x
		five := op.Add(b, op.Scale(b, double, 2), x)                                            // 5x
		square := op.MatMul(b, five, x, ir.None, op.Orientation{B: true}, 1)                    // 5 Σx²
		loss := op.Add(b, square, op.MatMul(b, x, double, ir.None, op.Orientation{B: true}, 1)) // 7 Σx²
		b.Output("x", b.Grad(loss, []ir.Value{x})[0])
	})
	expect(t, "gradient of 7·Σx²", out["x"].F, []float64{14, -28, 42})
}

func TestGradOfSeveralAndOfNone(t *testing.T) {
	out := gradients(t, []float64{1, -2, 3}, func(b *ir.Builder, x ir.Value) {
		middle := op.Scale(b, x, 3)
		apart := op.Scale(b, x, 9)
		loss := op.Sum(b, op.Scale(b, middle, 2))
		g := b.Grad(loss, []ir.Value{middle, x, apart})
		if g[2] != ir.None {
			t.Error("a value that the loss does not depend on has a gradient")
		}
		b.Output("middle", g[0])
		b.Output("x", g[1])
		b.Output("loss", b.Grad(loss, []ir.Value{loss})[0])
		b.Output("other", b.Grad(op.Sum(b, apart), []ir.Value{x})[0]) // a second loss in the same program
	})
	expect(t, "gradient of a value in the middle", out["middle"].F, []float64{2, 2, 2})
	expect(t, "gradient of x", out["x"].F, []float64{6, 6, 6})
	expect(t, "gradient of the loss itself", out["loss"].F, []float64{1})
	expect(t, "gradient of the other loss", out["other"].F, []float64{9, 9, 9})
}

// Nothing is computed for what nobody trains: the backward pass ends at the trained values.
func TestGradStopsAtFrozenValues(t *testing.T) {
	g := trace(t, func(b *ir.Builder) {
		h := b.Feed("x", f32(2, 3))
		for range 3 {
			h = op.Linear(b, h, b.Frozen("w", f32(3, 3)))
		}
		bias := b.State("bias", f32(3))
		h = op.AddBias(b, h, bias)
		b.Output("g", b.Grad(op.Sum(b, op.Linear(b, h, b.Frozen("w", f32(3, 3)))), []ir.Value{bias})[0])
	})
	// Backward are the sum, the product that follows the bias, and the bias.
	if got := count(g, "matmul"); got != 5 {
		t.Errorf("%d matrix products, want 4 forward and 1 backward:\n%v", got, g)
	}
}

// Gradients are added to sums that are given; one that nothing is added to is not handed out.
func TestGradEachAddsToSums(t *testing.T) {
	out := gradients(t, []float64{1, -2, 3}, func(b *ir.Builder, x ir.Value) {
		apart := b.Constant([]float32{1, 2, 3}, 1, 3)
		sum := b.Constant([]float32{10, 20, 30}, 1, 3)
		handed := 0
		b.GradEach(op.Sum(b, op.Add(b, x, op.Scale(b, x, 2))), []ir.Value{x, apart}, []ir.Value{sum, sum}, func(i int, grad ir.Value) {
			handed++
			b.Output("x", grad)
		})
		if handed != 1 {
			t.Errorf("%d gradients are handed out, want 1", handed)
		}
	})
	expect(t, "gradient and sum", out["x"].F, []float64{13, 23, 33})
}
