package ir_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"hone/core/ir"
	"hone/core/rng"
	"hone/core/tensor"
)

// values are operands by name.
type values = map[string]ir.Tensor[float32]

// normals are n values of a stream.
func normals(stream, n int, scale float64) []float32 {
	key := rng.NewKey(1, rng.Init, uint64(stream))
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(scale * key.Normal(uint64(i)))
	}
	return v
}

// fill makes values for all names; those of I32 are zeros.
func fill(g *ir.Graph, names map[string]ir.Value, scale float64) values {
	out := values{}
	for i, name := range slices.Sorted(maps.Keys(names)) {
		t := ir.Tensor[float32]{Type: g.Nodes[names[name]].Type}
		if t.Type.DType == tensor.I32 {
			t.I = make([]int32, t.Type.Elements())
		} else {
			t.F = normals(i, t.Type.Elements(), scale)
		}
		out[name] = t
	}
	return out
}

func poison(f []float32) {
	for i := range f {
		f[i] = float32(math.NaN())
	}
}

// planned runs programs in the memory that the plan gives them, with the reference kernels: the least that a device does.
type planned struct {
	g       *ir.Graph
	plan    *ir.Plan
	slots   [][]float32
	feeds   values
	states  values
	overlap int // nodes that wrote over an operand
}

func newPlanned(g *ir.Graph, feeds, states values) *planned {
	p := &planned{g: g, plan: ir.NewPlan(g), feeds: values{}, states: values{}}
	for _, bytes := range p.plan.Slots {
		p.slots = append(p.slots, make([]float32, bytes/4))
		poison(p.slots[len(p.slots)-1])
	}
	for _, m := range []struct{ to, from values }{{p.feeds, feeds}, {p.states, states}} {
		for name, t := range m.from {
			t.F = slices.Clone(t.F)
			m.to[name] = t
		}
	}
	return p
}

// at is where a value lies.
func (p *planned) at(v ir.Value) (ir.Tensor[float32], error) {
	n := p.g.Nodes[v]
	t := ir.Tensor[float32]{Type: n.Type}
	switch h := p.plan.Home[v]; h.Kind {
	case ir.InSlot:
		if have, need := int64(4*len(p.slots[h.Slot])), n.Type.Bytes(); have < need {
			return t, fmt.Errorf("%%%d of %d bytes lies in a slot of %d", v, need, have)
		}
		t.F = p.slots[h.Slot][:n.Type.Elements()]
	case ir.InState:
		t = p.states[h.State]
	case ir.InConstant:
		t.F = n.Data
	case ir.InFeed:
		for name, w := range p.g.Feeds {
			if w == v {
				t = p.feeds[name]
			}
		}
	}
	if !t.Type.Equal(n.Type) {
		return t, fmt.Errorf("%%%d of type %v lies in memory of type %v", v, n.Type, t.Type)
	}
	return t, nil
}

// run gives the outputs, read before the copies are made as on every device, and leaves the states assigned.
func (p *planned) run() (values, error) {
	for i, n := range p.g.Nodes {
		if ir.Source(n.Op) {
			continue
		}
		d, err := ir.Lookup(n.Op)
		if err != nil {
			return nil, err
		}
		c := &ir.Call[float32]{Attrs: n.Attrs}
		for _, in := range n.In {
			t, err := p.at(in)
			if err != nil {
				return nil, err
			}
			c.In = append(c.In, t)
		}
		parts := p.g.Parts(ir.Value(i))
		for j, o := range parts {
			t, err := p.at(o)
			if err != nil {
				return nil, err
			}
			c.Out = append(c.Out, t)
			over, err := p.shares(d, n, parts, j)
			if err != nil {
				return nil, fmt.Errorf("%%%d = %s: %w", i, n.Op, err)
			}
			switch h := p.plan.Home[o]; {
			case over:
				p.overlap++
			case h.Kind == ir.InSlot: // what lay here must be dead, beyond the end of the new value too
				poison(p.slots[h.Slot])
			case h.Kind == ir.InState:
				poison(t.F)
			default:
				return nil, fmt.Errorf("%%%d = %s writes over a feed or a constant", i, n.Op)
			}
		}
		d.Reference(c)
	}
	out := values{}
	for name, v := range p.g.Outputs {
		t, err := p.at(v)
		if err != nil {
			return nil, err
		}
		t.F = slices.Clone(t.F)
		out[name] = t
	}
	for _, a := range p.plan.Copies {
		t, err := p.at(a.Value)
		if err != nil {
			return nil, err
		}
		copy(p.states[a.State].F, t.F)
	}
	return out, nil
}

// shares reports whether result j lies where an operand lies; only the one that InPlace names may, and nobody else may lie there.
func (p *planned) shares(d *ir.Def, n ir.Node, parts []ir.Value, j int) (bool, error) {
	home, over := p.plan.Home[parts[j]], false
	for k, in := range n.In {
		if p.plan.Home[in] != home || home.Kind != ir.InSlot && home.Kind != ir.InState {
			continue
		}
		if j >= len(d.InPlace) || d.InPlace[j] != k {
			return false, fmt.Errorf("result %d lies where operand %d does", j, k)
		}
		over = true
	}
	for k, o := range parts {
		if k != j && p.plan.Home[o] == home {
			return false, fmt.Errorf("results %d and %d lie in one place", j, k)
		}
	}
	return over, nil
}

// difference compares bit for bit; the empty string is none.
func difference(got, want values) string {
	for name, w := range want {
		g, ok := got[name]
		if !ok || len(g.F) != len(w.F) {
			return fmt.Sprintf("%q has %d values, want %d", name, len(g.F), len(w.F))
		}
		for i := range w.F {
			if math.Float32bits(g.F[i]) != math.Float32bits(w.F[i]) {
				return fmt.Sprintf("%q, element %d, is %v, want %v", name, i, g.F[i], w.F[i])
			}
		}
	}
	return ""
}

// finite reports whether all values are; poison among wanted values would hide poison among those got.
func finite(vs values) bool {
	for _, t := range vs {
		for _, x := range t.F {
			if x-x != 0 {
				return false
			}
		}
	}
	return true
}

// agree runs a program twice as planned and twice as interpreted, the states carried on. Feeds must be as they were.
func agree(g *ir.Graph, feeds, states values) (*planned, error) {
	p := newPlanned(g, feeds, states)
	constants := map[int][]float32{}
	for i, n := range g.Nodes {
		if n.Op == "constant" {
			constants[i] = slices.Clone(n.Data)
		}
	}
	for run := range 2 {
		wantOut, wantStates, err := ir.Interpret(g, feeds, states)
		if err != nil {
			return nil, err
		}
		states = values{}
		for name, t := range wantStates { // a state may be another value's memory
			t.F = slices.Clone(t.F)
			states[name] = t
		}
		out, err := p.run()
		if err != nil {
			return nil, err
		}
		for _, c := range []struct {
			what      string
			got, want values
		}{{"output", out, wantOut}, {"state", p.states, states}, {"feed", p.feeds, feeds}} {
			if !finite(c.want) {
				return nil, errNotFinite
			}
			if d := difference(c.got, c.want); d != "" {
				return nil, fmt.Errorf("run %d: %s %s", run, c.what, d)
			}
		}
		for i, want := range constants {
			if !slices.Equal(g.Nodes[i].Data, want) {
				return nil, fmt.Errorf("run %d: constant %%%d has changed", run, i)
			}
		}
	}
	return p, nil
}

var errNotFinite = fmt.Errorf("the program's own values are not finite")

// mustAgree is agree for a program made by hand.
func mustAgree(t *testing.T, g *ir.Graph) *planned {
	t.Helper()
	p, err := agree(g, fill(g, g.Feeds, 1), fill(g, g.States, 1))
	if err != nil {
		t.Fatalf("%v in\n%v", err, g)
	}
	return p
}
