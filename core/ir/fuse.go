package ir

import "slices"

// fuse makes additions a part of the operators that can add: where one side of a sum comes from an operator with a free
// Addend and nothing else reads it, the operator moves to the place of the sum and adds the other side itself. Most are
// gradients that meet, or that are added to those of the micro-batches before. It leaves the old nodes to prune.
func (g *Graph) fuse() {
	reads := make([]int, len(g.Nodes))
	for _, n := range g.Nodes {
		for _, in := range n.In {
			if in != None {
				reads[in]++
			}
		}
	}
	for _, v := range g.Outputs {
		reads[v]++
	}
	for _, a := range g.Assigns {
		reads[a.Value]++
	}
	for i, sum := range g.Nodes {
		if sum.Op != "add" {
			continue
		}
		for side := 1; side >= 0; side-- {
			from := g.Nodes[sum.In[side]]
			d, err := Lookup(from.Op)
			if err != nil || d.Addend == 0 || len(from.In) != d.Addend || reads[sum.In[side]] > 1 {
				continue
			}
			g.Nodes[i] = Node{Op: from.Op, In: append(slices.Clone(from.In), sum.In[1-side]), Attrs: from.Attrs, Type: sum.Type, Block: sum.Block}
			break
		}
	}
}
