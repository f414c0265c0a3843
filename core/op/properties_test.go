package op_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"hone/core/ir"
	"hone/core/tensor"
)

// workspace are results that only give a kernel room: the reference need not write them.
var workspace = map[string]int{"linear_cross_entropy": 2, "linear_cross_entropy_grad": 1}

// visit runs a program at float32 and calls f with each node's definition and its finished call.
func visit(t *testing.T, g *ir.Graph, feeds, states map[string]ir.Tensor[float32], f func(d *ir.Def, c *ir.Call[float32])) {
	t.Helper()
	vals := make([]ir.Tensor[float32], len(g.Nodes))
	for name, v := range g.Feeds {
		vals[v] = feeds[name]
	}
	for name, v := range g.States {
		vals[v] = states[name]
	}
	for i, n := range g.Nodes {
		if n.Op == "constant" {
			vals[i] = ir.Tensor[float32]{Type: n.Type, F: n.Data}
		}
		if ir.Source(n.Op) {
			continue
		}
		d, err := ir.Lookup(n.Op)
		if err != nil {
			t.Fatal(err)
		}
		c := &ir.Call[float32]{Attrs: n.Attrs}
		for _, in := range n.In {
			c.In = append(c.In, vals[in])
		}
		for _, o := range g.Parts(ir.Value(i)) {
			vals[o] = ir.Tensor[float32]{Type: g.Nodes[o].Type, F: poisoned(g.Nodes[o].Type.Elements())}
			c.Out = append(c.Out, vals[o])
		}
		d.Reference(c)
		f(d, c)
	}
}

// forEach visits every node of every program, gradients included.
func forEach(t *testing.T, f func(t *testing.T, d *ir.Def, c *ir.Call[float32])) {
	for _, s := range suites {
		for _, p := range s.programs {
			t.Run(s.operator+"/"+p.name, func(t *testing.T) {
				g, src := p.trace(t, true)
				visit(t, g, convert[float32](src.feeds), convert[float32](src.states), func(d *ir.Def, c *ir.Call[float32]) { f(t, d, c) })
			})
		}
	}
}

func poisoned(n int) []float32 {
	f := make([]float32, n)
	for i := range f {
		f[i] = float32(math.NaN())
	}
	return f
}

// Each operator, each gradient operator included, is run by the programs of some test file.
func TestEveryOperatorIsTested(t *testing.T) {
	own, run := map[string]bool{}, map[string]bool{}
	for _, s := range suites {
		own[s.operator] = true
	}
	forEach(t, func(_ *testing.T, d *ir.Def, _ *ir.Call[float32]) { run[d.Name] = true })
	for _, name := range ir.Names() {
		if !run[name] {
			t.Errorf("no program runs %s", name)
		}
		if d, _ := ir.Lookup(name); !own[name] && !gradientOf(name, own) {
			t.Errorf("%s has no test file of its own (gradient rule: %v)", name, d.Grad != nil)
		}
	}
}

// gradientOf reports whether the name is that of a tested operator's gradient, as in rmsnorm_grad_x.
func gradientOf(name string, tested map[string]bool) bool {
	for forward := range tested {
		if len(name) > len(forward)+5 && name[:len(forward)+5] == forward+"_grad" || name == forward+"_grad" {
			return true
		}
	}
	return false
}

// Results do not depend on how the work is cut, nor on the order of the pieces, and every element is written.
func TestPiecesGiveTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	forEach(t, func(t *testing.T, d *ir.Def, c *ir.Call[float32]) {
		for range 3 {
			cut := &ir.Call[float32]{Attrs: c.Attrs, In: c.In}
			for _, o := range c.Out {
				cut.Out = append(cut.Out, ir.Tensor[float32]{Type: o.Type, F: poisoned(len(o.F))})
			}
			runInPieces(d, cut, r)
			same(t, d.Name+" in pieces", d, cut.Out, c.Out)
		}
	})
}

// Results are the same when they are written over the operands that InPlace names.
func TestInPlaceGivesTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	aliased := map[string]bool{}
	forEach(t, func(t *testing.T, d *ir.Def, c *ir.Call[float32]) {
		over := &ir.Call[float32]{Attrs: c.Attrs, In: append([]ir.Tensor[float32](nil), c.In...)}
		for j, o := range c.Out {
			out := ir.Tensor[float32]{Type: o.Type, F: poisoned(len(o.F))}
			if j < len(d.InPlace) && d.InPlace[j] >= 0 && d.InPlace[j] < len(c.In) && c.In[d.InPlace[j]].Type.Equal(o.Type) {
				copy(out.F, c.In[d.InPlace[j]].F)
				over.In[d.InPlace[j]] = out
				aliased[d.Name] = true
			}
			over.Out = append(over.Out, out)
		}
		runInPieces(d, over, r)
		same(t, d.Name+" in place", d, over.Out, c.Out)
	})
	for _, name := range ir.Names() {
		if d, _ := ir.Lookup(name); len(d.InPlace) > 0 && !aliased[name] {
			t.Errorf("no program runs %s in place", name)
		}
	}
}

// runInPieces cuts the units of a kernel at random and runs the pieces in random order.
func runInPieces(d *ir.Def, c *ir.Call[float32], r *rand.Rand) {
	units := 1
	if d.Units != nil {
		units = d.Units(c.Attrs, typesOf(c.In), typesOf(c.Out))
	}
	type piece struct{ lo, hi int }
	var pieces []piece
	for lo := 0; lo < units; {
		hi := lo + 1 + r.IntN(units-lo)
		if r.IntN(2) == 0 { // mostly short pieces
			hi = min(units, lo+1+r.IntN(3))
		}
		pieces = append(pieces, piece{lo, hi})
		lo = hi
	}
	r.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
	for _, p := range pieces {
		d.F32(c, p.lo, p.hi)
	}
}

func typesOf(ts []ir.Tensor[float32]) []tensor.Type {
	var out []tensor.Type
	for _, t := range ts {
		out = append(out, t.Type)
	}
	return out
}

// same compares results bit for bit, workspaces left out, and asserts that no poison is left.
func same(t *testing.T, what string, d *ir.Def, got, want []ir.Tensor[float32]) {
	t.Helper()
	for j := range want {
		if w, ok := workspace[d.Name]; ok && w == j {
			continue
		}
		for i, w := range want[j].F {
			if g := got[j].F[i]; w != w || math.Float32bits(g) != math.Float32bits(w) {
				t.Fatalf("%s: result %d, element %d of %v is %v, as a whole %v", what, j, i, want[j].Type, g, w)
			}
		}
	}
}
