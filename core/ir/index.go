package ir

import (
	"fmt"
	"maps"
	"slices"

	"hone/core/tensor"
)

// Indices are the feeds of a program that hold numbers of rows, and what each use of them allows. A device checks them
// before it runs: kernels trust them.
type Indices []boundedFeed // by name

type boundedFeed struct {
	name string
	uses []boundedUse
}

type boundedUse struct {
	op string
	Index
}

// IndicesOf finds them.
func IndicesOf(g *Graph) Indices {
	feeds := map[Value]string{}
	for name, v := range g.Feeds {
		feeds[v] = name
	}
	uses := map[string][]boundedUse{}
	for _, n := range g.Nodes {
		if Source(n.Op) {
			continue
		}
		d, err := Lookup(n.Op)
		if err != nil || d.Index == nil {
			continue
		}
		var types []tensor.Type
		for _, in := range n.In {
			t := tensor.Type{}
			if in != None {
				t = g.Nodes[in].Type
			}
			types = append(types, t)
		}
		use := boundedUse{n.Op, d.Index(n.Attrs, types)}
		if name, ok := feeds[n.In[use.Operand]]; ok && !slices.Contains(uses[name], use) {
			uses[name] = append(uses[name], use)
		}
	}
	var list Indices
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		list = append(list, boundedFeed{name, uses[name]})
	}
	return list
}

// Check reads what is to be fed and reports the first number that some operator cannot take.
func (x Indices) Check(feeds map[string]tensor.Host) error {
	for _, f := range x {
		for i, v := range feeds[f.name].I32 {
			for _, use := range f.uses {
				if int(v) >= use.Below || v < 0 && use.Missing != 0 && v != use.Missing {
					return fmt.Errorf("feed %q: number %d is %d, and operator %s wants it below %d%s", f.name, i, v, use.op, use.Below, use.negative())
				}
			}
		}
	}
	return nil
}

func (u boundedUse) negative() string {
	if u.Missing != 0 {
		return fmt.Sprintf(" and not negative, or %d", u.Missing)
	}
	return ""
}
