package webgpu

import (
	"hone/core/op"
	"hone/shaders"
)

func init() { lowerings["rope"] = lowerRoPE }

func lowerRoPE(c *call) ([]kernel, error) {
	types := c.types(c.in)
	rows, n, pairs := types[0].Shape[0], types[0].Shape[1], types[2].Shape[0]
	dim := op.RopeHeadDim(c.attrs, pairs)
	v := shaders.Variant{}
	if c.attrs["interleaved"] != 0 {
		v.Flags = append(v.Flags, "INTERLEAVED")
	}
	storage := []operand{out(c.out[0]), in(c.in[1]), in(c.in[2])}
	if c.overwrites(0) {
		v.Flags = append(v.Flags, "IN_PLACE")
	} else {
		storage = append(storage, in(c.in[0]))
	}
	heads, each := n/dim, dim-pairs
	return []kernel{{shader: "rope", variant: v, storage: storage,
		grids: c.d.grids(rows*each, elementGroup, int64(60+12*heads), each, pairs, dim, heads, float32(c.attrs["sign"]))}}, nil
}
