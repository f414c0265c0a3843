package webgpu

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"hone/core/device"
	"hone/core/ir"
	"hone/core/tensor"
)

// exec is a program with its buffers: bind groups over states, feeds and the shared temporaries, and the list of
// commands that a run replays. Both are made anew only when a state or a temporary becomes another buffer, and the list alone when
// submissions are to be of another size.
type exec struct {
	d      *Device
	p      *program
	slotOf []int // shared temporary of each slot
	states map[string]*buffer

	indices ir.Indices

	own      []bufferID // made once: feeds, constants, uniforms, readback
	feeds    bufferID
	consts   bufferID
	uniforms bufferID
	readback bufferID
	hostIn   []byte
	hostOut  []byte
	out      map[string]tensor.Host

	groups  []groupID
	replay  programID
	made    int  // Device.remade when the groups were made
	current bool // the groups fit the states
	closed  bool
	budget  int64 // operations of a submission, as the list is cut
	cuts    int   // between submissions
	largest int64 // see most
}

func newExec(d *Device, p *program) *exec {
	d.programs++
	return &exec{d: d, p: p, slotOf: d.sizes.Fit(p.plan.Slots), indices: ir.IndicesOf(p.graph), budget: d.submissionFLOPs}
}

// Cost is what a run of the program takes.
func (e *exec) Cost() device.Cost {
	c := device.Cost{Slots: e.p.plan.Slots, FLOPs: e.p.flops, Submissions: 1}
	c.Feeds = e.p.feeds.bytes + e.p.constants.bytes + int64(len(e.p.uniforms)) + e.p.outputs.bytes
	work := int64(0)
	for _, s := range e.p.steps {
		c.Dispatches += len(s.grids)
		for _, g := range s.grids {
			if e.cutBefore(&work, g) {
				c.Submissions++
			}
		}
	}
	return c
}

// cutBefore reports whether a submission with so much work in it ends before a dispatch, and counts the dispatch.
func (e *exec) cutBefore(work *int64, g grid) bool {
	cut := *work > 0 && *work+g.flops > e.budget
	if cut {
		*work = 0
	}
	*work += g.flops
	return cut
}

// Bind points the program at its states.
func (e *exec) Bind(state map[string]device.Buffer) error {
	states := map[string]*buffer{}
	for name, v := range e.p.graph.States {
		db, ok := state[name]
		if !ok {
			return fmt.Errorf("webgpu: no buffer is given for state %q", name)
		}
		b, ok := db.(*buffer)
		if !ok || b.d != e.d {
			return fmt.Errorf("webgpu: state %q lies on another device (%T)", name, db)
		}
		if len(b.shards) == 0 {
			return fmt.Errorf("webgpu: the buffer given for state %q is released", name)
		}
		if want := e.p.graph.Nodes[v].Type; !b.typ.Equal(want) {
			return fmt.Errorf("webgpu: state %q has type %v, the program wants %v", name, b.typ, want)
		}
		states[name] = b
	}
	e.states, e.current = states, false
	return nil
}

// Run feeds and replays the program.
func (e *exec) Run(ctx context.Context, feeds map[string]tensor.Host) (map[string]tensor.Host, error) {
	if err := e.indices.Check(feeds); err != nil {
		return nil, fmt.Errorf("webgpu: %w", err)
	}
	if err := e.d.drv.lost(); err != nil {
		return nil, err
	}
	if e.states == nil && len(e.p.graph.States) > 0 {
		return nil, errors.New("webgpu: the program runs before Bind")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if e.stale() {
		if err := e.cutAnew(); err != nil {
			return nil, err
		}
	}
	if err := e.prepare(); err != nil {
		return nil, err
	}
	for name, v := range e.p.graph.Feeds {
		h, ok := feeds[name]
		if !ok {
			return nil, fmt.Errorf("webgpu: feed %q is missing", name)
		}
		if want := e.p.graph.Nodes[v].Type; !h.Type.Equal(want) {
			return nil, fmt.Errorf("webgpu: feed %q has type %v, the program wants %v", name, h.Type, want)
		}
		toBytes(e.hostIn[e.p.feeds.at[v]:], h)
	}
	if len(e.p.graph.Assigns) > 0 {
		ctx = context.Background() // a program that changes states is never left half-way
	}
	longest, err := e.d.drv.replay(ctx, e.replay, e.hostIn, e.hostOut)
	if err != nil {
		return nil, err
	}
	e.adapt(longest)
	for name, v := range e.p.graph.Outputs {
		fromBytes(e.out[name], e.hostOut[e.p.outputs.at[v]:])
	}
	return e.out, nil
}

func toBytes(dst []byte, h tensor.Host) {
	for i, x := range h.F32 {
		binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(x))
	}
	for i, x := range h.I32 {
		binary.LittleEndian.PutUint32(dst[4*i:], uint32(x))
	}
}

func fromBytes(h tensor.Host, src []byte) {
	for i := range h.F32 {
		h.F32[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
	for i := range h.I32 {
		h.I32[i] = int32(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

// prepare makes what a replay needs and is not there, or not any more.
func (e *exec) prepare() error {
	if err := e.d.temporaries(); err != nil {
		return err
	}
	if e.own == nil {
		if err := e.makeOwn(); err != nil {
			e.releaseOwn()
			return err
		}
	}
	if !e.current || e.made != e.d.remade {
		e.releaseGroups()
		e.made, e.current = e.d.remade, true
		if err := e.d.drv.scope(e.makeGroups); err != nil {
			e.releaseGroups()
			return err
		}
	}
	if e.replay != 0 {
		return nil
	}
	return e.makeList()
}

// makeOwn makes the buffers of this program alone and fills those that never change.
func (e *exec) makeOwn() error {
	e.out = e.p.graph.NewOutputs()
	e.hostIn, e.hostOut = make([]byte, e.p.feeds.bytes), make([]byte, e.p.outputs.bytes)
	constants := make([]byte, e.p.constants.bytes)
	for v, at := range e.p.constants.at {
		n := e.p.graph.Nodes[v]
		toBytes(constants[at:], tensor.Host{Type: n.Type, F32: n.Data})
	}
	for _, b := range []struct {
		id    *bufferID
		what  string
		bytes int64
		usage usage
		fill  []byte
	}{
		{&e.feeds, "feeds", e.p.feeds.bytes, storage, nil},
		{&e.consts, "constants", e.p.constants.bytes, storage, constants},
		{&e.uniforms, "kernel parameters", int64(len(e.p.uniforms)), uniform, e.p.uniforms},
		{&e.readback, "outputs", e.p.outputs.bytes, readback, nil},
	} {
		if b.bytes == 0 {
			continue
		}
		var err error
		if *b.id, err = e.d.newBuffer(b.what, b.bytes, b.usage); err != nil {
			return err
		}
		e.own = append(e.own, *b.id)
		if err := e.d.drv.write(*b.id, 0, b.fill); err != nil {
			return err
		}
	}
	return nil
}

// where is the memory of an operand.
func (e *exec) where(o operand) binding {
	v := o.value
	if slot, ok := e.p.room.slot(v); ok {
		return binding{buffer: e.d.temps[e.slotOf[slot]].buffer, bytes: e.p.plan.Slots[slot]}
	}
	b := binding{bytes: e.p.graph.Nodes[v].Type.Bytes()}
	switch h := e.p.plan.Home[v]; h.Kind {
	case ir.InSlot:
		b.buffer = e.d.temps[e.slotOf[h.Slot]].buffer
	case ir.InState:
		s := e.states[h.State]
		if b.buffer = s.shards[o.shard]; o.scales {
			b.buffer = s.scales
		}
		b.bytes = e.d.live[b.buffer] // all of it
	case ir.InFeed:
		b.buffer, b.offset = e.feeds, e.p.feeds.at[v]
	case ir.InConstant:
		b.buffer, b.offset = e.consts, e.p.constants.at[v]
	}
	return b
}

// makeGroups makes the bind groups, one a dispatch, in the order of the program.
func (e *exec) makeGroups() error {
	for _, s := range e.p.steps {
		for _, params := range s.params {
			params.buffer = e.uniforms
			bindings := []binding{params}
			for _, o := range s.storage {
				bindings = append(bindings, e.where(o))
			}
			group, err := e.d.drv.createGroup(s.pipeline, bindings)
			if err != nil {
				return fmt.Errorf("operator %s: %w", s.op, err)
			}
			e.groups = append(e.groups, group)
		}
	}
	return nil
}

// makeList records the commands: kernels in the order of the program, then the outputs, then the assignments that are copies.
// Outputs go first because they show states as the program found them.
func (e *exec) makeList() error {
	var list []command
	e.cuts = 0
	work := int64(0) // since the last cut
	groups := e.groups
	for _, s := range e.p.steps {
		for _, g := range s.grids {
			if e.cutBefore(&work, g) {
				list = append(list, command{kind: cut})
				e.cuts++
			}
			list = append(list, command{kind: dispatch, pipeline: s.pipeline, group: groups[0], groups: g.groups})
			groups = groups[1:]
		}
	}
	for v, at := range e.p.outputs.at {
		for i := range e.d.shardsOf(e.p.graph.Nodes[v].Type) {
			from := e.where(operand{value: v, shard: i})
			list = append(list, command{kind: copyRange, from: from, to: binding{e.readback, at, from.bytes}})
			at += from.bytes
		}
	}
	for _, a := range e.p.plan.Copies {
		for i := range e.d.shardsOf(e.p.graph.Nodes[a.Value].Type) {
			from, to := e.where(operand{value: a.Value, shard: i}), e.where(operand{value: e.p.graph.States[a.State], shard: i})
			if from.buffer != to.buffer { // a state assigned to itself
				list = append(list, command{kind: copyRange, from: from, to: to})
			}
		}
	}
	var err error
	e.replay, err = e.d.drv.record(recording{commands: list, feed: e.feeds, feedLen: e.p.feeds.bytes, out: e.readback, outLen: e.p.outputs.bytes})
	return err
}

func (e *exec) releaseList() {
	if e.replay != 0 {
		e.d.drv.forget(e.replay)
	}
	e.replay = 0
}

func (e *exec) releaseGroups() {
	e.releaseList()
	for _, g := range e.groups {
		e.d.drv.releaseGroup(g)
	}
	e.groups, e.current = nil, false
}

func (e *exec) releaseOwn() {
	for _, b := range e.own {
		e.d.releaseBuffer(b)
	}
	e.own = nil
}

// Close releases what belongs to this program alone, and with the last program of the device the shared temporaries.
func (e *exec) Close() error {
	e.releaseGroups()
	e.releaseOwn()
	e.states = nil
	if e.closed {
		return nil
	}
	e.closed = true
	if e.d.programs--; e.d.programs == 0 {
		for _, t := range e.d.temps {
			e.d.releaseBuffer(t.buffer)
		}
		e.d.temps, e.d.sizes = nil, device.Pool{}
	}
	return nil
}
