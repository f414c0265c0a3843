package webgpu

import (
	"slices"

	"hone/core/ir"
	"hone/core/tensor"
	"hone/shaders"
)

// elementGroup is the number of invocations of a workgroup of element-wise kernels.
const elementGroup = 64

// elements is a kernel over all elements of a value, each as much work as so many operations; invocations take four
// neighbours where the rows of the value are made of fours. Its parameters begin with the first invocation and their number.
func (c *call) elements(shader string, over ir.Value, work int64, storage []operand, words ...any) kernel {
	return c.elementsOf(shader, c.g.Nodes[over].Type, work, storage, words...)
}

func (c *call) elementsOf(shader string, t tensor.Type, work int64, storage []operand, words ...any) kernel {
	n, v := t.Elements(), shaders.Variant{}
	if fours(t) {
		v.Flags, n, work = []string{"VEC4"}, n/4, 4*work
	}
	return kernel{shader: shader, variant: v, storage: storage, grids: c.d.grids(n, elementGroup, work, words...)}
}

// shardwise is elements where the value may lie in several buffers: a kernel for each of them, with the same part of every
// other operand of its type.
func (c *call) shardwise(shader string, over ir.Value, work int64, storage []operand, words ...any) []kernel {
	t := c.g.Nodes[over].Type
	var list []kernel
	shards := c.d.shardsOf(t)
	if len(shards) == 1 {
		return []kernel{c.elements(shader, over, work, storage, words...)}
	}
	for i, s := range shards {
		parts := slices.Clone(storage)
		for j, o := range parts {
			if c.g.Nodes[o.value].Type.Equal(t) {
				parts[j].shard = i
			}
		}
		list = append(list, c.elementsOf(shader, s.of(t), work, parts, words...))
	}
	return list
}

// fours reports whether the rows of a tensor are a multiple of four long.
func fours(t tensor.Type) bool { return t.Shape[len(t.Shape)-1]%4 == 0 }

// oneResult is a kernel whose result may lie where operand 0 does. It binds the result, other operands and, unless the
// result overwrites it, operand 0.
func (c *call) oneResult(shader string, work int64, others []ir.Value, words ...any) []kernel {
	storage := []operand{out(c.out[0])}
	for _, v := range others {
		storage = append(storage, in(v))
	}
	over := c.overwrites(0)
	if !over {
		storage = append(storage, in(c.in[0]))
	}
	list := c.shardwise(shader, c.out[0], work, storage, words...)
	for i := range list {
		if over {
			list[i].variant.Flags = append(list[i].variant.Flags, "IN_PLACE")
		}
	}
	return list
}

// copied copies the operands that a kernel works on in place to where its results are to be, unless they are there.
func (c *call) copied(operands ...int) []kernel {
	var list []kernel
	for i, j := range operands {
		list = append(list, c.copiedTo(i, j)...)
	}
	return list
}

// copiedTo copies an operand to where a result is to be, unless it is there.
func (c *call) copiedTo(result, number int) []kernel {
	to, from := c.out[result], c.in[number]
	if sameMemory(c.plan, from, to) {
		return nil
	}
	return c.shardwise("copy", to, 1, []operand{out(to), in(from)})
}
