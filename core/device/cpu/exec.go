package cpu

import (
	"context"
	"fmt"
	"time"

	"hone/core/device"
	"hone/core/ir"
	"hone/core/tensor"
)

// exec is a program ready to run: for each node its operator, and a call whose operands point into states, feeds and
// the shared temporaries.
type exec struct {
	d       *Device
	g       *ir.Graph
	plan    *ir.Plan
	slotOf  []int // shared temporary of each slot
	states  map[string]*buffer
	steps   []step
	vals    []operand // by Value
	bound   bool
	closed  bool
	flops   int64
	feedLen int64
	indices ir.Indices
	out     map[string]tensor.Host // made by the first run
	times   []time.Duration        // of each step of the last run, where they are asked for
}

// operand is a value in memory and, for a weight, how it lies there.
type operand struct {
	ir.Tensor[float32]
	panels bool
}

// step is one node to run.
type step struct {
	node  ir.Value
	def   *ir.Def
	fast  fastKernel // nil: the reference kernel
	call  *ir.Call[float32]
	in    []operand
	units int
}

func newExec(d *Device, g *ir.Graph) *exec {
	e := &exec{d: d, g: g, plan: ir.NewPlan(g), indices: ir.IndicesOf(g)}
	e.slotOf = d.sizes.Fit(e.plan.Slots)
	d.programs++
	for i, n := range g.Nodes {
		if n.Op == "feed" || n.Op == "constant" {
			e.feedLen += n.Type.Bytes()
		}
		if ir.Source(n.Op) {
			continue
		}
		def, _ := ir.Lookup(n.Op)
		if def.FLOPs != nil {
			e.flops += def.FLOPs(n.Attrs, typesOf(g, n.In), typesOf(g, g.Parts(ir.Value(i))))
		}
		e.steps = append(e.steps, step{node: ir.Value(i), def: def, fast: fast[n.Op]})
	}
	return e
}

func typesOf(g *ir.Graph, vs []ir.Value) []tensor.Type {
	out := make([]tensor.Type, len(vs))
	for i, v := range vs {
		if v != ir.None {
			out[i] = g.Nodes[v].Type
		}
	}
	return out
}

// Cost is what a run of the program takes.
func (e *exec) Cost() device.Cost {
	return device.Cost{Slots: e.plan.Slots, Feeds: e.feedLen, Workspace: 4 * workspace(e.g, e.d.pool.Workers()), FLOPs: e.flops, Dispatches: len(e.steps)}
}

// Bind points the program at its states. A frozen weight that only matrix products read is packed into panels, in its
// own memory, once; a program that reads it in another way has it laid out in rows again.
func (e *exec) Bind(state map[string]device.Buffer) error {
	e.states = map[string]*buffer{}
	for name, v := range e.g.States {
		db, ok := state[name]
		if !ok {
			return fmt.Errorf("cpu: no buffer is given for state %q", name)
		}
		b, ok := db.(*buffer)
		if !ok {
			return fmt.Errorf("cpu: state %q lies on another device (%T)", name, db)
		}
		if want := e.g.Nodes[v].Type; !b.typ.Equal(want) {
			return fmt.Errorf("cpu: state %q has type %v, the program wants %v", name, b.typ, want)
		}
		if panels := e.g.Nodes[v].Attrs["frozen"] != 0 && e.onlyMultiplied(v); panels != b.panels && (b.f != nil || b.h != nil) {
			e.d.lay(b, panels)
		}
		e.states[name] = b
	}
	e.bound = false
	return nil
}

// onlyMultiplied reports whether every use of v is as the second matrix of a product of rows.
func (e *exec) onlyMultiplied(v ir.Value) bool {
	for _, n := range e.g.Nodes {
		for j, in := range n.In {
			if in == v && (n.Op != "matmul" || j != 1 || n.Attrs["transpose_a"] != 0) {
				return false
			}
		}
	}
	return len(e.g.Nodes[v].Type.Shape) == 2
}

// prepare gives every value its memory. Temporaries may have been made larger since by another program.
func (e *exec) prepare() {
	d := e.d
	for len(d.temps) < len(d.sizes.Sizes) {
		d.temps = append(d.temps, nil)
	}
	for _, t := range e.slotOf {
		if need := int(d.sizes.Sizes[t] / 4); len(d.temps[t]) < need {
			d.temps[t] = make([]float32, need)
		}
	}
	e.vals = make([]operand, len(e.g.Nodes))
	for i, n := range e.g.Nodes {
		v := operand{Tensor: ir.Tensor[float32]{Type: n.Type}}
		switch h := e.plan.Home[i]; h.Kind {
		case ir.InSlot:
			v.F = d.temps[e.slotOf[h.Slot]][:n.Type.Elements()]
		case ir.InState:
			b := e.states[h.State]
			v.F, v.Half, v.I, v.NF4, v.panels = b.f, b.h, b.i, b.nf4, b.panels
		case ir.InConstant:
			v.F = n.Data
		}
		e.vals[i] = v
	}
	for i := range e.steps {
		s := &e.steps[i]
		n := e.g.Nodes[s.node]
		s.call = &ir.Call[float32]{Attrs: n.Attrs}
		s.in = s.in[:0]
		for _, in := range n.In {
			v := operand{}
			if in != ir.None {
				v = e.vals[in]
			}
			s.in = append(s.in, v)
			s.call.In = append(s.call.In, v.Tensor)
		}
		parts := e.g.Parts(s.node)
		for _, o := range parts {
			s.call.Out = append(s.call.Out, e.vals[o].Tensor)
		}
		s.units = 1
		if s.def.Units != nil {
			s.units = s.def.Units(n.Attrs, typesOf(e.g, n.In), typesOf(e.g, parts))
		}
	}
	e.bound = true
}

// moved reports whether another program has laid a state out anew, or made the shared temporaries larger, since prepare.
func (e *exec) moved() bool {
	for i, h := range e.plan.Home {
		switch v := &e.vals[i]; h.Kind {
		case ir.InState:
			if b := e.states[h.State]; v.panels != b.panels {
				return true
			}
		case ir.InSlot:
			if len(v.F) > 0 && &v.F[0] != &e.d.temps[e.slotOf[h.Slot]][0] {
				return true
			}
		}
	}
	return false
}

// Run feeds and replays the program.
func (e *exec) Run(ctx context.Context, feeds map[string]tensor.Host) (map[string]tensor.Host, error) {
	if err := e.indices.Check(feeds); err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	if e.states == nil && len(e.g.States) > 0 {
		return nil, fmt.Errorf("cpu: the program runs before Bind")
	}
	if !e.bound || e.moved() {
		e.prepare()
	}
	fed := map[ir.Value]tensor.Host{}
	for name, v := range e.g.Feeds {
		h, ok := feeds[name]
		if !ok {
			return nil, fmt.Errorf("cpu: feed %q is missing", name)
		}
		if want := e.g.Nodes[v].Type; !h.Type.Equal(want) {
			return nil, fmt.Errorf("cpu: feed %q has type %v, the program wants %v", name, h.Type, want)
		}
		fed[v] = h
		e.vals[v].F, e.vals[v].I = h.F32, h.I32
	}
	for i := range e.steps {
		if err := ctx.Err(); err != nil && len(e.g.Assigns) == 0 {
			return nil, err // a program that changes states is never left half-way
		}
		s := &e.steps[i]
		for j, in := range e.g.Nodes[s.node].In {
			if h, ok := fed[in]; ok {
				s.in[j].F, s.in[j].I = h.F32, h.I32
				s.call.In[j].F, s.call.In[j].I = h.F32, h.I32
			}
		}
		start := time.Time{}
		if e.times != nil {
			start = time.Now()
		}
		if s.fast != nil {
			s.fast(e.d, s)
		} else {
			e.d.reference(s)
		}
		if e.times != nil {
			e.times[i] = time.Since(start)
		}
	}
	if e.out == nil {
		e.out = e.g.NewOutputs()
	}
	for name, v := range e.g.Outputs {
		copy(e.out[name].F32, e.vals[v].F)
		copy(e.out[name].I32, e.vals[v].I)
	}
	for _, a := range e.plan.Copies {
		copy(e.states[a.State].f, e.vals[a.Value].F)
		copy(e.states[a.State].i, e.vals[a.Value].I)
	}
	return e.out, nil
}

// Close forgets the states.
func (e *exec) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	e.states, e.vals, e.steps, e.out = nil, nil, nil, nil
	if e.d.programs--; e.d.programs == 0 {
		e.d.temps, e.d.sizes = nil, device.Pool{}
	}
	return nil
}
