package ir_test

import (
	"strings"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

func f32(shape ...int) tensor.Type { return tensor.Of(tensor.F32, shape...) }

// trace builds a program that must be sound.
func trace(t *testing.T, f func(b *ir.Builder)) *ir.Graph {
	t.Helper()
	g, err := ir.Trace(f)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// count is how many nodes of the operator a program has.
func count(g *ir.Graph, name string) (n int) {
	for _, node := range g.Nodes {
		if node.Op == name {
			n++
		}
	}
	return n
}

func TestTraceErrors(t *testing.T) {
	for _, c := range []struct {
		want  string
		build func(b *ir.Builder)
	}{
		{"model.layers.3.self_attn: matmul: inner lengths differ: F32[2 3] (transposed: false) times F32[5 4] (transposed: true)", func(b *ir.Builder) {
			b.Scope("model.layers.3", func() {
				b.Scope("self_attn", func() { op.Linear(b, b.Feed("x", f32(2, 3)), b.State("w", f32(5, 4))) })
			})
		}},
		{"model.mlp: add: operand 1 is", func(b *ir.Builder) { // a scope that has ended is not named
			b.Scope("model", func() {
				b.Scope("self_attn", func() {})
				b.Scope("mlp", func() { op.Add(b, b.Feed("x", f32(2)), b.Feed("y", f32(3))) })
			})
		}},
		{"add: operand 1 is", func(b *ir.Builder) {
			b.Scope("model", func() {})
			op.Add(b, b.Feed("x", f32(2)), b.Feed("y", f32(3)))
		}},
		{`feed "x" is used as F32[2] and as F32[3]`, func(b *ir.Builder) { b.Feed("x", f32(2)); b.Feed("x", f32(3)) }},
		{`state "w" is used as F32[2] and as F32[2] (frozen: 0, 1)`, func(b *ir.Builder) { b.State("w", f32(2)); b.Frozen("w", f32(2)) }},
		{`feed "x" has the empty type F32[0 3]`, func(b *ir.Builder) { b.Feed("x", f32(0, 3)) }},
		{"constant of type F32[2 2] given 3 values", func(b *ir.Builder) { b.Constant([]float32{1, 2, 3}, 2, 2) }},
		{`assignment to state "w", which the program does not read`, func(b *ir.Builder) { b.Assign("w", b.Feed("x", f32(2))) }},
		{`assignment to the frozen state "w"`, func(b *ir.Builder) { b.Frozen("w", f32(2)); b.Assign("w", b.Feed("x", f32(2))) }},
		{`assignment of F32[2] to state "w" of type F32[3]`, func(b *ir.Builder) { b.State("w", f32(3)); b.Assign("w", b.Feed("x", f32(2))) }},
		{`state "w" is assigned another state as it is`, func(b *ir.Builder) { b.State("w", f32(2)); b.Assign("w", b.State("v", f32(2))) }},
		{"swiglu has 1 results, number 1 asked for", func(b *ir.Builder) { b.Part(op.SwiGLU(b, b.Feed("x", f32(2)), b.Feed("y", f32(2))), 1) }},
		{"recompute blocks do not nest", func(b *ir.Builder) { b.Block(func() { b.Block(func() {}) }) }},
		{`ir: no operator is named "convolution"`, func(b *ir.Builder) { b.Apply("convolution", nil) }},
		{"gradient of a value of 2 elements; a loss has one", func(b *ir.Builder) { x := b.Feed("x", f32(2)); b.Grad(x, []ir.Value{x}) }},
		{"sum_squares has no gradient rule", func(b *ir.Builder) {
			w := b.State("w", f32(2))
			b.Grad(op.SumSquares(b, w, b.Constant([]float32{0}, 1)), []ir.Value{w})
		}},
		{"step 7: too long", func(b *ir.Builder) { b.Fail("step %d: too long", 7) }},
	} {
		g, err := ir.Trace(c.build)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || g != nil {
			t.Errorf("got error %v and graph %v, want an error that begins %q", err, g, c.want)
		}
	}
}

// What is no trace error, a programmer's mistake in f, is not swallowed.
func TestTracePassesOtherPanicsOn(t *testing.T) {
	defer func() {
		if r := recover(); r != "mistake" {
			t.Errorf("recovered %v, want the panic of f", r)
		}
	}()
	_, err := ir.Trace(func(*ir.Builder) { panic("mistake") })
	t.Errorf("Trace returned %v", err)
}

func TestRegisterRefusesASecondDefinition(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a second definition of add is accepted")
		}
	}()
	ir.Register(ir.Def{Name: "add"})
}

func TestNamesAreShared(t *testing.T) {
	g := trace(t, func(b *ir.Builder) {
		for range 2 { // a second use of a name is the same value
			b.Feed("x", f32(2))
			b.State("w", f32(2))
			b.Frozen("z", f32(2))
		}
	})
	if len(g.Nodes) != 3 || g.Nodes[g.States["z"]].Attrs["frozen"] != 1 || g.Nodes[g.States["w"]].Attrs["frozen"] != 0 {
		t.Errorf("three names give\n%v", g)
	}
}

func TestPrune(t *testing.T) {
	g := trace(t, func(b *ir.Builder) {
		x, unused := b.Feed("x", f32(2)), b.Feed("unused", f32(3))
		w := b.State("w", f32(2))
		op.Scale(b, unused, 2) // nobody wants this
		dead := op.Add(b, x, w)
		op.Add(b, dead, dead)
		grads := b.Apply("swiglu_grad", nil, x, w, x)
		b.Output("up", op.Scale(b, b.Part(grads, 1), 3)) // only the second result is wanted
		b.State("idle", f32(1))
	})
	if got := count(g, "add"); got != 0 {
		t.Errorf("%d dead additions are left", got)
	}
	if got := count(g, "scale"); got != 1 {
		t.Errorf("%d scalings are left, want 1", got)
	}
	for name, v := range map[string]ir.Value{"x": g.Feeds["x"], "unused": g.Feeds["unused"]} {
		if g.Nodes[v].Op != "feed" {
			t.Errorf("feed %s is now %v", name, g.Nodes[v])
		}
	}
	for name, v := range g.States {
		if g.Nodes[v].Op != "state" {
			t.Errorf("state %s is now %v", name, g.Nodes[v])
		}
	}
	for i, n := range g.Nodes {
		if n.Op == "swiglu_grad" && len(g.Parts(ir.Value(i))) != 2 {
			t.Error("a result that nobody reads has lost its place; the kernel writes it")
		}
	}
	if len(g.Nodes) != 7 || g.Nodes[g.Outputs["up"]].Op != "scale" {
		t.Errorf("left is\n%v", g)
	}
}

// Operands given as a slice stay the caller's: renumbering one node does not renumber another.
func TestOperandsAreCopied(t *testing.T) {
	g := trace(t, func(b *ir.Builder) {
		op.Scale(b, b.Constant([]float32{1}, 1), 2) // dead, so that numbers change
		in := []ir.Value{b.Feed("x", f32(2)), b.Feed("y", f32(2))}
		first := b.Apply("add", nil, in...)
		second := b.Apply("swiglu", nil, in...)
		in[0] = first
		b.Output("z", op.Add(b, first, second))
	})
	for _, n := range g.Nodes {
		if (n.Op == "swiglu" || n.Op == "add") && n.In[0] == g.Feeds["x"] && n.In[1] != g.Feeds["y"] {
			t.Errorf("operands have moved:\n%v", g)
		}
	}
	if n := g.Nodes[g.Outputs["z"]]; g.Nodes[n.In[0]].In[0] != g.Feeds["x"] || g.Nodes[n.In[1]].In[0] != g.Feeds["x"] {
		t.Errorf("operands have moved:\n%v", g)
	}
}

func TestInterpretNamesWhatIsMissing(t *testing.T) {
	g := trace(t, func(b *ir.Builder) { b.Output("y", op.Add(b, b.Feed("x", f32(2)), b.State("w", f32(2)))) })
	x := ir.Tensor[float64]{Type: f32(2), F: []float64{1, 2}}
	long := ir.Tensor[float64]{Type: f32(3), F: []float64{1, 2, 3}}
	type given = map[string]ir.Tensor[float64]
	for _, c := range []struct {
		want          string
		feeds, states given
	}{
		{`ir: feed "x" is missing`, nil, given{"w": x}},
		{`ir: state "w" is missing`, given{"x": x}, nil},
		{`ir: state "w" has type F32[3], the program wants F32[2]`, given{"x": x}, given{"w": long}},
	} {
		if _, _, err := ir.Interpret(g, c.feeds, c.states); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestGraphListsItsNodes(t *testing.T) {
	g := trace(t, func(b *ir.Builder) { b.Output("y", op.Scale(b, b.Feed("x", f32(2, 3)), 0.5)) })
	if got, want := g.String(), "%0 = feed[] : F32[2 3] x\n%1 = scale[0] factor=0.5 : F32[2 3] \n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
