package ir_test

import (
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// Each program has one thing that memory could be shared wrongly over, or should be shared over. copies is how many
// assignments cannot be made in place, slots how many temporary buffers the program takes.
func TestPlanHazards(t *testing.T) {
	for _, c := range []struct {
		name          string
		copies, slots int
		build         func(b *ir.Builder, x, s ir.Value)
	}{
		{"a chain runs in one buffer", 0, 1, func(b *ir.Builder, x, _ ir.Value) {
			y := op.Scale(b, x, 2)
			for range 5 {
				y = op.Scale(b, op.Add(b, y, x), 0.5)
			}
			b.Output("y", y)
		}},
		{"an output is not written over", 0, 2, func(b *ir.Builder, x, _ ir.Value) {
			y := op.Scale(b, x, 2)
			b.Output("y", y)
			b.Output("z", op.Scale(b, y, 2))
		}},
		{"a feed is not written over", 0, 1, func(b *ir.Builder, x, _ ir.Value) { b.Output("y", op.Scale(b, x, 2)) }},
		{"a constant is not written over", 0, 1, func(b *ir.Builder, _, _ ir.Value) {
			b.Output("y", op.Scale(b, b.Constant([]float32{1, 2, 3}, 3), 2))
		}},
		{"a state is not written over without an assignment", 0, 1, func(b *ir.Builder, _, s ir.Value) { b.Output("y", op.Scale(b, s, 2)) }},
		{"an update in place", 0, 0, func(b *ir.Builder, x, s ir.Value) { b.Assign("s", op.Add(b, s, x)) }},
		{"an update in place that is also an output", 0, 0, func(b *ir.Builder, x, s ir.Value) {
			y := op.Add(b, s, x)
			b.Assign("s", y)
			b.Output("y", y)
		}},
		{"the state on the other side", 1, 1, func(b *ir.Builder, x, s ir.Value) { b.Assign("s", op.Add(b, x, s)) }},
		{"the state on both sides", 1, 1, func(b *ir.Builder, _, s ir.Value) { b.Assign("s", op.Add(b, s, s)) }},
		{"the old state is read before", 0, 1, func(b *ir.Builder, x, s ir.Value) {
			b.Output("before", op.Scale(b, s, 3))
			b.Assign("s", op.Add(b, s, x))
		}},
		{"the old state is read after", 1, 2, func(b *ir.Builder, x, s ir.Value) {
			b.Assign("s", op.Add(b, s, x))
			b.Output("after", op.Scale(b, s, 3))
		}},
		{"the old state is an output", 1, 1, func(b *ir.Builder, x, s ir.Value) {
			b.Output("old", s)
			b.Assign("s", op.Add(b, s, x))
		}},
		{"the new value is read after", 0, 1, func(b *ir.Builder, x, s ir.Value) {
			y := op.Add(b, s, x)
			b.Assign("s", y)
			b.Output("y", op.Add(b, y, x))
		}},
		{"a chain from a state", 0, 0, func(b *ir.Builder, x, s ir.Value) {
			b.Assign("s", op.Scale(b, op.Add(b, s, x), 0.5))
		}},
		{"a chain from a state whose old value is read in the middle", 1, 2, func(b *ir.Builder, x, s ir.Value) {
			y := op.Add(b, s, x)
			b.Output("y", op.Scale(b, s, 3))
			b.Assign("s", op.Scale(b, y, 0.5))
		}},
		{"a chain from a state with a link that is read later", 1, 2, func(b *ir.Builder, x, s ir.Value) {
			y := op.Add(b, s, x)
			b.Assign("s", op.Scale(b, y, 0.5))
			b.Output("y", op.Scale(b, y, 3))
		}},
		{"two states change places", 2, 2, func(b *ir.Builder, _, s ir.Value) {
			other := b.State("other", f32(3))
			b.Assign("s", op.Scale(b, other, 1))
			b.Assign("other", op.Scale(b, s, 1))
		}},
		{"one state becomes the other's new value", 1, 0, func(b *ir.Builder, x, s ir.Value) {
			b.State("other", f32(3))
			y := op.Add(b, s, x)
			b.Assign("s", y)
			b.Assign("other", y)
		}},
		{"a feed becomes a state", 1, 0, func(b *ir.Builder, x, _ ir.Value) { b.Assign("s", x) }},
		{"a constant becomes a state", 1, 0, func(b *ir.Builder, _, _ ir.Value) { b.Assign("s", b.Constant([]float32{1, 2, 3}, 3)) }},
		{"two results over two operands", 0, 2, func(b *ir.Builder, x, s ir.Value) {
			g := b.Apply("swiglu_grad", nil, op.Scale(b, x, 2), op.Scale(b, s, 3), x)
			b.Output("gate", g)
			b.Output("up", b.Part(g, 1))
		}},
		{"two results over one operand", 0, 3, func(b *ir.Builder, x, _ ir.Value) {
			y := op.Scale(b, x, 2)
			g := b.Apply("swiglu_grad", nil, y, y, x)
			b.Output("gate", g)
			b.Output("up", b.Part(g, 1))
		}},
		{"a result that nobody reads has room", 0, 2, func(b *ir.Builder, x, s ir.Value) {
			b.Output("up", b.Part(b.Apply("swiglu_grad", nil, x, s, x), 1))
		}},
		{"an operand that lives on", 0, 2, func(b *ir.Builder, x, _ ir.Value) {
			y := op.Scale(b, x, 2)
			b.Output("z", op.SwiGLU(b, op.Scale(b, y, 3), y))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := trace(t, func(b *ir.Builder) { c.build(b, b.Feed("x", f32(3)), b.State("s", f32(3))) })
			p := mustAgree(t, g)
			if len(p.plan.Copies) != c.copies || len(p.plan.Slots) != c.slots {
				t.Errorf("%d copies and %d slots, want %d and %d, in\n%v", len(p.plan.Copies), len(p.plan.Slots), c.copies, c.slots, g)
			}
		})
	}
}

// The whole of an optimiser's update runs in the memory of its states.
func TestPlanOptimiserRunsInPlace(t *testing.T) {
	g := trace(t, func(b *ir.Builder) {
		typ := f32(5, 7)
		p, grad, m, v := b.State("p", typ), b.State("grad", typ), b.State("m", typ), b.State("v", typ)
		settings := op.AdamWSettings{Beta1: 0.5, Beta2: 0.5, Epsilon: 1}
		p, m, v = op.AdamW(b, p, grad, m, v, b.Feed("factor", f32(1)), b.Feed("rates", f32(3)), settings)
		b.Assign("p", p)
		b.Assign("m", m)
		b.Assign("v", v)
		b.Assign("grad", op.ZerosLike(b, grad))
	})
	states := fill(g, g.States, 1)
	for i, x := range states["v"].F { // a second moment is never negative
		states["v"].F[i] = x * x
	}
	p, err := agree(g, fill(g, g.Feeds, 1), states)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.plan.Copies) != 0 || len(p.plan.Slots) != 0 {
		t.Errorf("%d copies and %d slots, want none", len(p.plan.Copies), len(p.plan.Slots))
	}
}

// A key-value cache is filled in its own memory, and attention reads it there.
func TestPlanCacheInPlace(t *testing.T) {
	g := trace(t, func(b *ir.Builder) {
		cache := b.State("cache", f32(6, 4))
		ids := b.Feed("at", tensor.Of(tensor.I32, 2))
		all := op.ScatterRows(b, cache, b.Feed("new", f32(2, 4)), ids)
		b.Assign("cache", all)
		b.Output("rows", op.Embedding(b, all, ids))
	})
	if p := mustAgree(t, g); len(p.plan.Copies) != 0 || p.plan.TemporaryBytes() != 2*4*4 {
		t.Errorf("%d copies and %d temporary bytes; want none and 32", len(p.plan.Copies), p.plan.TemporaryBytes())
	}
}
