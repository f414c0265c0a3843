package webgpu

import (
	"hone/core/ir"
	"hone/shaders"
)

func init() { lowerings["top_k"] = lowerTopK }

// lowerTopK takes the greatest of each of many chunks, and then the greatest of these.
func lowerTopK(c *call) ([]kernel, error) {
	chunk := 16384 // barriers are what costs on the CPU
	if c.d.tiled() {
		chunk = 2048 // enough workgroups for a GPU
	}
	n, k := c.types(c.in)[0].Elements(), c.attrs.Int("k")
	pass := func(values, places ir.Value, n, chunk int, from []operand) kernel {
		v := shaders.Variant{}
		if len(from) > 1 {
			v.Flags = []string{"PAIRS"}
		}
		return kernel{shader: "top_k", variant: v, storage: append([]operand{out(values), out(places)}, from...),
			grids: c.d.grids(ceilDiv(n, chunk), 1, int64(4*(chunk+k*(chunk/64+8))), n, k, chunk)}
	}
	if n <= 2*chunk {
		return []kernel{pass(c.out[0], c.out[1], n, n, []operand{in(c.in[0])})}, nil
	}
	pairs := ceilDiv(n, chunk) * k
	values, places := c.roomFor(0, pairs), c.roomFor(1, pairs)
	return []kernel{pass(values, places, n, chunk, []operand{in(c.in[0])}),
		pass(c.out[0], c.out[1], pairs, pairs, []operand{in(values), in(places)})}, nil
}
