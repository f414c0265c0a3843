package webgpu

import (
	"encoding/binary"
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/tensor"
	"hone/shaders"
)

// kernel is one use of a shader by a node.
type kernel struct {
	shader  string
	variant shaders.Variant
	storage []operand // bound from @binding(1) on
	grids   []grid    // dispatches: a product that would keep the device busy for too long has several
}

// operand is a value as a kernel uses it: all of it, a range of its rows where it lies in several buffers, or the scales
// of an NF4 weight.
type operand struct {
	value  ir.Value
	access access
	shard  int
	scales bool
}

// in is an operand that a kernel reads, out one that it writes.
func in(v ir.Value) operand  { return operand{value: v, access: reads} }
func out(v ir.Value) operand { return operand{value: v, access: writes} }

// grid is one dispatch of a kernel.
type grid struct {
	groups [3]uint32 // workgroups
	params []byte    // the uniform at @binding(0)
	flops  int64
}

// call is a node as the rules that lower it see it.
type call struct {
	d       *Device
	g       *ir.Graph
	plan    *ir.Plan
	attrs   ir.Attrs
	in, out []ir.Value
	room    *room
}

func (c *call) types(vs []ir.Value) []tensor.Type {
	out := make([]tensor.Type, len(vs))
	for i, v := range vs {
		if v != ir.None {
			out[i] = c.g.Nodes[v].Type
		}
	}
	return out
}

// has reports whether optional operand i is there.
func (c *call) has(i int) bool { return i < len(c.in) && c.in[i] != ir.None }

// overwrites reports whether the first result lies in the memory of operand i. Binding one buffer to be read and to be
// written in the same dispatch is an error, so a kernel needs a variant that binds it once.
func (c *call) overwrites(i int) bool {
	return c.has(i) && sameMemory(c.plan, c.in[i], c.out[0])
}

func sameMemory(p *ir.Plan, a, b ir.Value) bool {
	if a < 0 || b < 0 { // room
		return a == b
	}
	h := p.Home[a]
	return h == p.Home[b] && (h.Kind == ir.InSlot || h.Kind == ir.InState)
}

// lowerings is the rule of every operator that has kernels; the file of its name puts it here.
var lowerings = map[string]func(c *call) ([]kernel, error){}

// takesShards names the operators whose kernels go over the shards of a weight that lies in several buffers.
var takesShards = map[string]bool{}

// givesShards names those whose results may lie so too, in the memory of a state that is trained.
var givesShards = map[string]bool{"add": true, "adamw": true, "sgd": true, "zeros_like": true, "embedding_grad": true, "linear_cross_entropy_grad": true}

// step is a kernel with its pipeline, and its parameters as offsets into the program's uniforms.
type step struct {
	node     ir.Value
	op       string
	pipeline pipelineID
	storage  []operand
	grids    []grid
	params   []binding // of each grid; the buffer is known at bind time
}

// program is a graph lowered: all that does not depend on which buffers there are.
type program struct {
	graph     *ir.Graph
	plan      *ir.Plan
	steps     []step
	uniforms  []byte
	feeds     layout
	constants layout
	outputs   layout // in the readback buffer
	flops     int64
	dispatch  int64 // operations of the largest dispatch
	split     bool  // a kernel has several
	room      room
}

// layout is how values lie in one buffer.
type layout struct {
	at    map[ir.Value]int64
	bytes int64
}

func (l *layout) add(v ir.Value, bytes, alignment int64) {
	if l.at == nil {
		l.at = map[ir.Value]int64{}
	}
	if _, ok := l.at[v]; ok {
		return
	}
	l.at[v] = roundUp(l.bytes, alignment)
	l.bytes = l.at[v] + bytes
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }

// lower makes the program of a graph, or says which operator this device cannot run.
func (d *Device) lower(g *ir.Graph) (*program, error) {
	for i, n := range g.Nodes {
		if _, ok := lowerings[n.Op]; !ok && !ir.Source(n.Op) {
			return nil, fmt.Errorf("webgpu: there is no kernel for operator %s (node %d); use the CPU device for this program", n.Op, i)
		}
	}
	p := &program{graph: g, plan: ir.NewPlan(g)}
	if err := d.see(p.plan.Slots); err != nil {
		return nil, err
	}
	p.room.first = len(p.plan.Slots)
	uniformAt := map[string]int64{}
	var all []kernel
	for i, n := range g.Nodes {
		v := ir.Value(i)
		if err := holds(n); err != nil {
			return nil, err
		}
		switch n.Op {
		case "state":
			if err := d.cuttable(n.Type); err != nil {
				return nil, err
			}
		case "feed":
			p.feeds.add(v, n.Type.Bytes(), d.about.alignment)
		case "constant":
			p.constants.add(v, n.Type.Bytes(), d.about.alignment)
		}
		if ir.Source(n.Op) {
			continue
		}
		c := &call{d: d, g: g, plan: p.plan, attrs: n.Attrs, in: n.In, out: g.Parts(v), room: &p.room}
		for _, v := range c.in {
			if v != ir.None && len(d.shardsOf(g.Nodes[v].Type)) > 1 && !takesShards[n.Op] {
				return nil, fmt.Errorf("webgpu: operator %s (node %d) cannot take %v, which is more than the %d bytes of a buffer that a kernel of %s sees", n.Op, i, g.Nodes[v].Type, d.about.maxBinding, d.about.name)
			}
		}
		for _, v := range c.out {
			if len(d.shardsOf(g.Nodes[v].Type)) > 1 && !givesShards[n.Op] {
				return nil, fmt.Errorf("webgpu: operator %s (node %d) cannot give %v, which is more than the %d bytes of a buffer that a kernel of %s sees; take --train_type lora", n.Op, i, g.Nodes[v].Type, d.about.maxBinding, d.about.name)
			}
		}
		kernels, err := lowerings[n.Op](c)
		if err != nil {
			return nil, fmt.Errorf("webgpu: operator %s (node %d): %w", n.Op, i, err)
		}
		for _, k := range kernels {
			s := step{node: v, op: n.Op, storage: k.storage, grids: k.grids}
			if err := d.fits(p.plan, k); err != nil {
				return nil, fmt.Errorf("webgpu: operator %s (node %d): %w", n.Op, i, err)
			}
			all = append(all, k)
			p.split = p.split || len(k.grids) > 1
			for _, grid := range k.grids {
				p.dispatch = max(p.dispatch, grid.flops)
				at, ok := uniformAt[string(grid.params)]
				if !ok {
					at = roundUp(int64(len(p.uniforms)), d.about.alignment)
					uniformAt[string(grid.params)] = at
					p.uniforms = append(append(p.uniforms, make([]byte, at-int64(len(p.uniforms)))...), grid.params...)
				}
				s.params = append(s.params, binding{offset: at, bytes: int64(len(grid.params))})
			}
			p.steps = append(p.steps, s)
		}
		def, err := ir.Lookup(n.Op)
		if err != nil {
			return nil, err
		}
		if def.FLOPs != nil {
			p.flops += def.FLOPs(n.Attrs, c.types(c.in), c.types(c.out))
		}
	}
	pipelines, err := d.pipelinesOf(all)
	if err != nil {
		return nil, err
	}
	for i, id := range pipelines {
		p.steps[i].pipeline = id
	}
	p.plan.Slots = append(p.plan.Slots, p.room.bytes...)
	if err := d.see(p.plan.Slots); err != nil {
		return nil, err
	}
	for _, v := range g.Outputs {
		p.outputs.add(v, g.Nodes[v].Type.Bytes(), 8)
	}
	return p, nil
}

// see checks that kernels can see the whole of every slot.
func (d *Device) see(slots []int64) error {
	for i, bytes := range slots {
		if bytes > d.about.maxBinding {
			return fmt.Errorf("webgpu: the program has a temporary of %d bytes (slot %d), and kernels of %s see %d of a buffer; use shorter or fewer sequences a batch", bytes, i, d.about.name, d.about.maxBinding)
		}
	}
	return nil
}

// holds checks that the device has a form for the value: what is computed is F32 or I32, states may be of fewer bits.
func holds(n ir.Node) error {
	switch t := n.Type; t.DType {
	case tensor.F32, tensor.I32:
		return nil
	case tensor.NF4, tensor.F16, tensor.BF16:
		if n.Op == "state" {
			return nil
		}
	}
	return fmt.Errorf("webgpu: %s of type %v has no form on this device", n.Op, n.Type)
}

// fits checks a kernel against the device's limits and the rule that one dispatch does not both read and write a buffer.
func (d *Device) fits(p *ir.Plan, k kernel) error {
	if len(k.storage) > d.about.maxStorage {
		return fmt.Errorf("kernel %s binds %d storage buffers, %s allows %d", k.shader, len(k.storage), d.about.name, d.about.maxStorage)
	}
	for i, a := range k.storage {
		for _, b := range k.storage[i+1:] {
			if (a.access == writes || b.access == writes) && sameMemory(p, a.value, b.value) {
				return fmt.Errorf("kernel %s binds the memory of values %d and %d twice and writes it", k.shader, a.value, b.value)
			}
		}
	}
	for _, g := range k.grids {
		for _, n := range g.groups {
			if n == 0 || int64(n) > int64(d.about.maxGroups) {
				return fmt.Errorf("kernel %s needs %v workgroups, %s allows %d in a dimension", k.shader, g.groups, d.about.name, d.about.maxGroups)
			}
		}
	}
	return nil
}

// params packs 32-bit words as WGSL lays out a struct of u32, i32 and f32, padded to 16 bytes as uniforms are.
func params(words ...any) []byte {
	var p []byte
	for _, w := range words {
		switch x := w.(type) {
		case int:
			p = binary.LittleEndian.AppendUint32(p, uint32(x))
		case float32:
			p = binary.LittleEndian.AppendUint32(p, math.Float32bits(x))
		default:
			panic(fmt.Sprintf("webgpu: a parameter of type %T", w))
		}
	}
	return append(p, make([]byte, roundUp(int64(len(p)), 16)-int64(len(p)))...)
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
