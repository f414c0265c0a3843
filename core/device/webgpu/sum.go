package webgpu

func init() {
	lowerings["sum"] = lowerSum
	lowerings["sum_grad"] = lowerSumGrad
}

func lowerSum(c *call) ([]kernel, error) { return c.total(false), nil }

func lowerSumGrad(c *call) ([]kernel, error) {
	k := c.elements("fill", c.out[0], 1, []operand{out(c.out[0]), in(c.in[1])})
	k.variant.Flags = append(k.variant.Flags, "VALUE")
	return []kernel{k}, nil
}
