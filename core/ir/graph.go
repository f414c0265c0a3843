// Package ir is the seam between what is trained and what trains it. A step is traced once into a small static graph of
// coarse operators; the graph is differentiated by one rule per operator, its memory is planned, and a device compiles
// it and replays it. The graph is plain data: it can be printed, compared, and sent to another machine.
package ir

import (
	"fmt"
	"sort"
	"strings"

	"hone/core/tensor"
)

// Value names the result of a node: its index in Graph.Nodes.
type Value int32

// None stands where a value is optional and absent.
const None Value = -1

// Attrs are an operator's settings. Whole numbers up to 2^53 are exact.
type Attrs map[string]float64

// Int gives a whole-number setting, 0 when it is absent.
func (a Attrs) Int(name string) int { return int(a[name]) }

// Node is one operation. Its first result is the Value of the node itself; further results are nodes of operator
// "part" that follow it directly and name it as their input.
type Node struct {
	Op    string      `json:"op"`
	In    []Value     `json:"in,omitempty"`
	Attrs Attrs       `json:"attrs,omitempty"`
	Type  tensor.Type `json:"type"`
	Block int         `json:"block,omitempty"` // recompute block the node belongs to; 0 is none
	Data  []float32   `json:"data,omitempty"`  // of operator "constant" only
}

// Assign says that after the program the state holds the value. All reads of a state within the program see what it
// held before, so the order of nodes alone decides nothing.
type Assign struct {
	State string `json:"state"`
	Value Value  `json:"value"`
}

// Graph is a program: nodes in the order in which they run, and the names by which the outside knows some of them.
type Graph struct {
	Nodes   []Node           `json:"nodes"`
	Feeds   map[string]Value `json:"feeds"`   // given anew at every run
	States  map[string]Value `json:"states"`  // weights, adapters, moments, caches: they stay on the device
	Outputs map[string]Value `json:"outputs"` // read back after every run
	Assigns []Assign         `json:"assigns"`
}

// Parts gives all results of node v: itself and the "part" nodes behind it.
func (g *Graph) Parts(v Value) []Value {
	out := []Value{v}
	for w := v + 1; int(w) < len(g.Nodes) && g.Nodes[w].Op == "part" && g.Nodes[w].In[0] == v; w++ {
		out = append(out, w)
	}
	return out
}

// String lists the program, a node a line.
func (g *Graph) String() string {
	var sb strings.Builder
	names := map[Value]string{}
	for n, v := range g.Feeds {
		names[v] = n
	}
	for n, v := range g.States {
		names[v] = n
	}
	for i, n := range g.Nodes {
		fmt.Fprintf(&sb, "%%%d = %s%v", i, n.Op, n.In)
		keys := make([]string, 0, len(n.Attrs))
		for k := range n.Attrs {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			fmt.Fprintf(&sb, " %s=%g", k, n.Attrs[k])
		}
		fmt.Fprintf(&sb, " : %v %s\n", n.Type, names[Value(i)])
	}
	return sb.String()
}

// NewOutputs is memory for what a run gives back.
func (g *Graph) NewOutputs() map[string]tensor.Host {
	out := map[string]tensor.Host{}
	for name, v := range g.Outputs {
		h := tensor.Host{Type: g.Nodes[v].Type}
		if h.Type.DType == tensor.I32 {
			h.I32 = make([]int32, h.Type.Elements())
		} else {
			h.F32 = make([]float32, h.Type.Elements())
		}
		out[name] = h
	}
	return out
}

// prune drops the nodes that no output and no assignment depends on, and renumbers the rest.
// Feeds and states stay, so that what a program accepts does not hang on what it happens to use.
func (g *Graph) prune() {
	live := make([]bool, len(g.Nodes))
	mark := func(v Value) { live[v] = true }
	for _, v := range g.Outputs {
		mark(v)
	}
	for _, a := range g.Assigns {
		mark(a.Value)
	}
	for _, v := range g.Feeds {
		mark(v)
	}
	for _, v := range g.States {
		mark(v)
	}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		if !live[i] {
			continue
		}
		for _, in := range g.Nodes[i].In {
			if in != None {
				mark(in)
			}
		}
	}
	// A node with parts keeps them all: its kernel writes every one.
	for i, n := range g.Nodes {
		if n.Op == "part" && live[n.In[0]] {
			live[i] = true
		}
	}
	to := make([]Value, len(g.Nodes))
	kept := g.Nodes[:0]
	for i, n := range g.Nodes {
		if !live[i] {
			continue
		}
		to[i] = Value(len(kept))
		for j, in := range n.In {
			if in != None {
				n.In[j] = to[in]
			}
		}
		kept = append(kept, n)
	}
	g.Nodes = kept
	for _, m := range []map[string]Value{g.Feeds, g.States, g.Outputs} {
		for k, v := range m {
			m[k] = to[v]
		}
	}
	for i := range g.Assigns {
		g.Assigns[i].Value = to[g.Assigns[i].Value]
	}
}
