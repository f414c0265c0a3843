package webgpu

import (
	"fmt"

	"hone/shaders"
)

func init() { lowerings["uniform_noise"] = lowerUniformNoise }

// lowerUniformNoise gives each invocation a block of four random numbers and their elements.
func lowerUniformNoise(c *call) ([]kernel, error) {
	n := c.types(c.out)[0].Elements()
	if n > 1<<34 {
		return nil, fmt.Errorf("%d elements are beyond what the counter of the kernel holds", n)
	}
	v := shaders.Variant{}
	if n%4 == 0 {
		v.Flags = append(v.Flags, "VEC4")
	}
	storage := []operand{out(c.out[0]), in(c.in[1])}
	if c.overwrites(0) {
		v.Flags = append(v.Flags, "IN_PLACE")
	} else {
		storage = append(storage, in(c.in[0]))
	}
	return []kernel{{shader: "uniform_noise", variant: v, storage: storage,
		grids: c.d.grids(ceilDiv(n, 4), elementGroup, 160, n, float32(c.attrs["magnitude"]))}}, nil
}
