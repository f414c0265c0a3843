package webgpu

import (
	"hone/core/ir"
	"hone/core/tensor"
	"hone/shaders"
)

// elementGroup is the number of invocations of a workgroup of element-wise kernels.
const elementGroup = 64

// elements is a kernel over all elements of a value, each as much work as so many operations; invocations take four
// neighbours where the rows of the value are made of fours. Its parameters begin with the first invocation and their number.
func (c *call) elements(shader string, over ir.Value, work int64, storage []operand, words ...any) kernel {
	n, v := c.g.Nodes[over].Type.Elements(), shaders.Variant{}
	if fours(c.g.Nodes[over].Type) {
		v.Flags, n, work = []string{"VEC4"}, n/4, 4*work
	}
	return kernel{shader: shader, variant: v, storage: storage, grids: c.d.grids(n, elementGroup, work, words...)}
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
	k := c.elements(shader, c.out[0], work, storage, words...)
	if over {
		k.variant.Flags = append(k.variant.Flags, "IN_PLACE")
	}
	return []kernel{k}
}

// copied copies the operands that a kernel works on in place to where its results are to be, unless they are there.
func (c *call) copied(operands ...int) []kernel {
	var list []kernel
	for i, j := range operands {
		if !sameMemory(c.plan, c.in[j], c.out[i]) {
			list = append(list, c.elements("copy", c.out[i], 1, []operand{out(c.out[i]), in(c.in[j])}))
		}
	}
	return list
}
