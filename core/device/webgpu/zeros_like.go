package webgpu

func init() { lowerings["zeros_like"] = lowerZerosLike }

func lowerZerosLike(c *call) ([]kernel, error) { return []kernel{c.zeros(0)}, nil }

// zeros clears a result.
func (c *call) zeros(result int) kernel {
	return c.elements("fill", c.out[result], 1, []operand{out(c.out[result])})
}
