package device

import (
	"context"
	"time"

	"hone/core/ir"
	"hone/core/tensor"
)

// Ceilings are what a device does at most, by loops that do one thing only: a measure for all other figures.
type Ceilings struct {
	FLOPs float64 // multiplications and additions a second, two for a fused one
	Bytes float64 // read and written a second
}

// Measurer is a device that can measure its ceilings.
type Measurer interface {
	Measure(ctx context.Context) (Ceilings, error)
}

// Profiler is a program that can time its nodes.
type Profiler interface {
	// Profile runs the program, with kernels one by one and some of them several times, and gives the time of each node that
	// runs one. What its states hold afterwards is of no use.
	Profile(ctx context.Context, feeds map[string]tensor.Host) ([]OpTime, error)
}

// OpTime is what a node took.
type OpTime struct {
	Op    string
	Time  time.Duration
	FLOPs int64 // 0 where they do not matter beside the memory traffic
	Bytes int64 // of operands and results
}

// TimeOf is the time of a node with what it does.
func TimeOf(g *ir.Graph, v ir.Value, took time.Duration) OpTime {
	n := g.Nodes[v]
	types := func(vs []ir.Value) (list []tensor.Type, bytes int64) {
		for _, v := range vs {
			t := tensor.Type{}
			if v != ir.None {
				t = g.Nodes[v].Type
			}
			list, bytes = append(list, t), bytes+t.Bytes()
		}
		return list, bytes
	}
	in, read := types(n.In)
	out, written := types(g.Parts(v))
	if n.Op == "embedding" { // of the table only what is picked
		read = written
	}
	t := OpTime{Op: n.Op, Time: took, Bytes: read + written}
	if d, err := ir.Lookup(n.Op); err == nil && d.FLOPs != nil {
		t.FLOPs = d.FLOPs(n.Attrs, in, out)
	}
	return t
}
