package ir

import (
	"fmt"
	"maps"

	"hone/core/tensor"
)

// Interpret runs the program with the reference kernels, every value in memory of its own: slow, clear, the oracle for
// devices, and at float64 for gradients. Tensors of feeds and states are not changed; assigned states are in the result.
func Interpret[T Float](g *Graph, feeds, states map[string]Tensor[T]) (outputs, assigned map[string]Tensor[T], err error) {
	vals := make([]Tensor[T], len(g.Nodes))
	for _, src := range []struct {
		kind  string
		names map[string]Value
		given map[string]Tensor[T]
	}{{"feed", g.Feeds, feeds}, {"state", g.States, states}} {
		for name, v := range src.names {
			t, ok := src.given[name]
			if !ok {
				return nil, nil, fmt.Errorf("ir: %s %q is missing", src.kind, name)
			}
			if !t.Type.Equal(g.Nodes[v].Type) {
				return nil, nil, fmt.Errorf("ir: %s %q has type %v, the program wants %v", src.kind, name, t.Type, g.Nodes[v].Type)
			}
			vals[v] = t
		}
	}
	for i, n := range g.Nodes {
		switch {
		case n.Op == "constant":
			f := make([]T, len(n.Data))
			for j, x := range n.Data {
				f[j] = T(x)
			}
			vals[i] = Tensor[T]{Type: n.Type, F: f}
			continue
		case Source(n.Op):
			continue
		}
		d, err := Lookup(n.Op)
		if err != nil {
			return nil, nil, err
		}
		c := &Call[T]{Attrs: n.Attrs}
		for _, in := range n.In {
			var t Tensor[T]
			if in != None {
				t = vals[in]
			}
			c.In = append(c.In, t)
		}
		for _, o := range g.Parts(Value(i)) {
			t := g.Nodes[o].Type
			vals[o] = Tensor[T]{Type: t, F: make([]T, t.Elements())}
			c.Out = append(c.Out, vals[o])
		}
		d.Reference(c)
	}
	outputs, assigned = map[string]Tensor[T]{}, maps.Clone(states)
	for name, v := range g.Outputs {
		outputs[name] = vals[v]
	}
	for _, a := range g.Assigns {
		assigned[a.State] = vals[a.Value]
	}
	return outputs, assigned, nil
}

// Reference runs the whole reference kernel of the operator on the call.
func (d *Def) Reference(call any) {
	switch c := call.(type) {
	case *Call[float32]:
		d.F32(c, 0, d.unitsOf(c.Attrs, types(c.In), types(c.Out)))
	case *Call[float64]:
		d.F64(c, 0, d.unitsOf(c.Attrs, types(c.In), types(c.Out)))
	default:
		panic(fmt.Sprintf("ir: reference of %s called with %T", d.Name, call))
	}
}

// Floats reads len(dst) elements, from element from on, of a weight that may be stored in any type that an operator accepts.
func (t Tensor[T]) Floats(dst []T, from int) {
	switch t.Type.DType {
	case tensor.F16:
		for i, h := range t.Half[from : from+len(dst)] {
			dst[i] = T(tensor.F16ToF32(h))
		}
	case tensor.BF16:
		for i, h := range t.Half[from : from+len(dst)] {
			dst[i] = T(tensor.BF16ToF32(h))
		}
	case tensor.NF4:
		buf := make([]float32, len(dst))
		t.NF4.Dequantize(buf, from)
		for i, x := range buf {
			dst[i] = T(x)
		}
	default:
		copy(dst, t.F[from:from+len(dst)])
	}
}

// Values are all elements of such a weight: its own memory where it is stored in F32.
func (t Tensor[T]) Values() []T {
	if t.Type.DType == tensor.F32 {
		return t.F
	}
	v := make([]T, t.Type.Elements())
	t.Floats(v, 0)
	return v
}
