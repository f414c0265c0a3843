package webgpu

import (
	"math"

	"hone/shaders"
)

func init() { lowerings["dynamic_ntk"] = lowerDynamicNTK }

// lowerDynamicNTK has the host compute the frequencies of short texts, in float64, and the kernel only what changes them.
func lowerDynamicNTK(c *call) ([]kernel, error) {
	a, pairs := c.attrs, c.attrs.Int("pairs")
	words := []any{c.types(c.in)[0].Shape[0], pairs, a.Int("max_positions"), float32(a["factor"]), 0, 0} // the table begins at a multiple of 16 bytes
	for i := range pairs {
		words = append(words, 1/float32(math.Pow(a["theta"], float64(i)/float64(pairs))))
	}
	return []kernel{{shader: "dynamic_ntk", variant: shaders.Variant{Consts: map[string]uint32{"QUARTERS": uint32(ceilDiv(pairs, 4))}},
		storage: []operand{out(c.out[0]), in(c.in[0])}, grids: c.d.grids(1, 1, int64(c.types(c.in)[0].Shape[0]), words...)}}, nil
}
