package webgpu

func init() {
	lowerings["add_bias"] = lowerAddBias
	lowerings["add_bias_grad"] = lowerAddBiasGrad
}

func lowerAddBias(c *call) ([]kernel, error) {
	t := c.types(c.in)[0]
	n := t.Shape[1]
	if fours(t) {
		n /= 4
	}
	return c.oneResult("add_bias", 1, c.in[1:], n), nil
}

func lowerAddBiasGrad(c *call) ([]kernel, error) {
	t := c.types(c.in)[0]
	return c.columnSum(0, t.Shape[0], t.Shape[1], c.out[0], columnTerms{dy: c.in[0]}), nil
}
