package webgpu

func init() { lowerings["zeros_like"], takesShards["zeros_like"] = lowerZerosLike, true }

func lowerZerosLike(c *call) ([]kernel, error) { return c.zeros(0), nil }

// zeros clears a result.
func (c *call) zeros(result int) []kernel {
	return c.shardwise("fill", c.out[result], 1, []operand{out(c.out[result])})
}
