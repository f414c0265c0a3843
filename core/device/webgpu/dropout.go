package webgpu

import (
	"fmt"
	"math"

	"hone/shaders"
)

func init() { lowerings["dropout"] = lowerDropout }

// lowerDropout gives each invocation a block of four random numbers and their elements. The index of a block is
// stream·2^38 + block, as on the CPU: of its two words the kernel makes the lower.
func lowerDropout(c *call) ([]kernel, error) {
	n, p, stream := c.types(c.out)[0].Elements(), c.attrs["p"], c.attrs.Int("stream")
	if n > 1<<34 || stream >= 1<<26 {
		return nil, fmt.Errorf("%d elements of stream %d are beyond what the counter of the kernel holds", n, stream)
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
	// A number kept is one whose upper 24 bits, as a fraction, are not below p.
	threshold := int(math.Ceil(p * (1 << 24)))
	return []kernel{{shader: "dropout", variant: v, storage: storage,
		grids: c.d.grids(ceilDiv(n, 4), elementGroup, 160, n, stream<<6, threshold, float32(1/(1-p)))}}, nil
}
