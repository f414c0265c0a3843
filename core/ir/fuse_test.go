package ir_test

import (
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// ops counts the operators of a program.
func ops(t *testing.T, f func(b *ir.Builder)) map[string]int {
	t.Helper()
	g, err := ir.Trace(f)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, n := range g.Nodes {
		count[n.Op]++
	}
	return count
}

// TestFuse asks which additions become part of a product: those of a result that nothing else reads and that has nothing
// added to it yet.
func TestFuse(t *testing.T) {
	square := tensor.Of(tensor.F32, 4, 4)
	for _, c := range []struct {
		name         string
		adds, matmul int
		f            func(b *ir.Builder, x, w ir.Value)
	}{
		{"either side", 0, 2, func(b *ir.Builder, x, w ir.Value) {
			y := op.Add(b, x, op.Linear(b, x, w))
			b.Output("y", op.Add(b, op.Linear(b, y, w), y))
		}},
		{"two products", 0, 2, func(b *ir.Builder, x, w ir.Value) {
			b.Output("y", op.Add(b, op.Linear(b, x, w), op.Linear(b, w, x)))
		}},
		{"into a state", 0, 1, func(b *ir.Builder, x, w ir.Value) {
			b.Assign("sum", op.Add(b, b.State("sum", square), op.Linear(b, x, w)))
		}},
		{"added to already", 1, 1, func(b *ir.Builder, x, w ir.Value) {
			b.Output("y", op.Add(b, x, op.MatMul(b, x, w, x, op.Orientation{}, 1)))
		}},
		{"read twice", 1, 2, func(b *ir.Builder, x, w ir.Value) {
			y := op.Linear(b, x, w)
			b.Output("y", op.Linear(b, op.Add(b, x, y), y))
		}},
		{"a product and itself", 1, 1, func(b *ir.Builder, x, w ir.Value) {
			y := op.Linear(b, x, w)
			b.Output("y", op.Add(b, y, y))
		}},
		{"an output", 1, 1, func(b *ir.Builder, x, w ir.Value) {
			y := op.Linear(b, x, w)
			b.Output("product", y)
			b.Output("y", op.Add(b, x, y))
		}},
	} {
		got := ops(t, func(b *ir.Builder) { c.f(b, b.Feed("x", square), b.State("w", square)) })
		if got["add"] != c.adds || got["matmul"] != c.matmul {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
