package ir

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"hone/core/tensor"
)

// Builder records a program. Its methods do not return errors: the first failure ends Trace, which returns it.
type Builder struct {
	g         *Graph
	scope     []string
	block     int // the recompute block being traced; 0 outside of any
	blocks    int
	recompute bool
}

type traceError struct{ err error }

// Trace runs f and returns the program that it built. A shape error inside f becomes an error that names the operator
// and the scope in which it was applied.
func Trace(f func(b *Builder)) (g *Graph, err error) {
	b := &Builder{g: &Graph{Feeds: map[string]Value{}, States: map[string]Value{}, Outputs: map[string]Value{}}}
	defer func() {
		if r := recover(); r != nil {
			te, ok := r.(traceError)
			if !ok {
				panic(r)
			}
			g, err = nil, te.err
		}
	}()
	f(b)
	b.g.fuse()
	b.g.prune()
	return b.g, nil
}

// Fail ends the trace with an error.
func (b *Builder) Fail(format string, args ...any) {
	where := ""
	if len(b.scope) > 0 {
		where = strings.Join(b.scope, ".") + ": "
	}
	panic(traceError{errors.New(where + fmt.Sprintf(format, args...))})
}

// Scope names a part of the program in errors, as in "model.layers.3.self_attn".
func (b *Builder) Scope(name string, f func()) {
	b.scope = append(b.scope, name)
	f()
	b.scope = b.scope[:len(b.scope)-1]
}

// SetRecompute chooses whether Grad recomputes what was traced inside Block (gradient checkpointing) or keeps it.
func (b *Builder) SetRecompute(on bool) { b.recompute = on }

// Block marks what f traces as one recompute block. Blocks do not nest.
func (b *Builder) Block(f func()) {
	if b.block != 0 {
		b.Fail("recompute blocks do not nest")
	}
	b.blocks++
	b.block = b.blocks
	f()
	b.block = 0
}

// Type is the type of a value.
func (b *Builder) Type(v Value) tensor.Type { return b.g.Nodes[v].Type }

// Dim is the length of axis i of a value.
func (b *Builder) Dim(v Value, i int) int { return b.g.Nodes[v].Type.Shape[i] }

func (b *Builder) push(n Node) Value {
	n.Block = b.block
	b.g.Nodes = append(b.g.Nodes, n)
	return Value(len(b.g.Nodes) - 1)
}

// named returns the value of that name, made on first use; a second use must agree with the first.
func (b *Builder) named(in map[string]Value, op, name string, t tensor.Type, attrs Attrs) Value {
	if v, ok := in[name]; ok {
		if !b.Type(v).Equal(t) || b.g.Nodes[v].Attrs["frozen"] != attrs["frozen"] {
			b.Fail("%s %q is used as %v and as %v (frozen: %v, %v)", op, name, b.Type(v), t, b.g.Nodes[v].Attrs["frozen"], attrs["frozen"])
		}
		return v
	}
	if t.Shape.Elements() <= 0 {
		b.Fail("%s %q has the empty type %v", op, name, t)
	}
	v := b.push(Node{Op: op, Type: t, Attrs: attrs})
	b.g.Nodes[v].Block = 0
	in[name] = v
	return v
}

// Feed is a value given anew at every run.
func (b *Builder) Feed(name string, t tensor.Type) Value {
	return b.named(b.g.Feeds, "feed", name, t, nil)
}

// State is a value that stays on the device between runs.
func (b *Builder) State(name string, t tensor.Type) Value {
	return b.named(b.g.States, "state", name, t, nil)
}

// Frozen is a state that no program of the run ever assigns: a device may lay it out as suits it best.
func (b *Builder) Frozen(name string, t tensor.Type) Value {
	return b.named(b.g.States, "state", name, t, Attrs{"frozen": 1})
}

// Constant is an F32 value known now.
func (b *Builder) Constant(data []float32, shape ...int) Value {
	t := tensor.Of(tensor.F32, shape...)
	if t.Elements() != len(data) {
		b.Fail("constant of type %v given %d values", t, len(data))
	}
	return b.push(Node{Op: "constant", Type: t, Data: data})
}

// Output names a value to be read back after every run.
func (b *Builder) Output(name string, v Value) { b.g.Outputs[name] = v }

// Assign makes the state hold the value after the program has run.
func (b *Builder) Assign(state string, v Value) {
	s, ok := b.g.States[state]
	if !ok {
		b.Fail("assignment to state %q, which the program does not read", state)
	}
	for _, a := range b.g.Assigns {
		if a.State == state {
			b.Fail("state %q is assigned twice in one program", state)
		}
	}
	if b.g.Nodes[s].Attrs["frozen"] != 0 {
		b.Fail("assignment to the frozen state %q", state)
	}
	if !b.Type(s).Equal(b.Type(v)) {
		b.Fail("assignment of %v to state %q of type %v", b.Type(v), state, b.Type(s))
	}
	if b.g.Nodes[v].Op == "state" {
		b.Fail("state %q is assigned another state as it is; states are copied by an operator", state)
	}
	b.g.Assigns = append(b.g.Assigns, Assign{state, v})
}

// Apply adds a node of the operator and returns its first result. None among the operands is an absent optional one.
func (b *Builder) Apply(op string, attrs Attrs, in ...Value) Value {
	d, err := Lookup(op)
	if err != nil {
		b.Fail("%v", err)
	}
	types := make([]tensor.Type, len(in))
	for i, v := range in {
		if v != None {
			types[i] = b.Type(v)
		}
	}
	out, err := d.Infer(attrs, types)
	if err != nil {
		b.Fail("%s: %v", op, err)
	}
	v := b.push(Node{Op: op, In: slices.Clone(in), Attrs: attrs, Type: out[0]})
	for i, t := range out[1:] {
		b.push(Node{Op: "part", In: []Value{v}, Attrs: Attrs{"index": float64(i + 1)}, Type: t})
	}
	return v
}

// Part is result i of a node; result 0 is the node itself.
func (b *Builder) Part(v Value, i int) Value {
	parts := b.g.Parts(v)
	if i >= len(parts) {
		b.Fail("%s has %d results, number %d asked for", b.g.Nodes[v].Op, len(parts), i)
	}
	return parts[i]
}
