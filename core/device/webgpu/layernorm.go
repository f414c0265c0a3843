package webgpu

func init() {
	lowerings["layernorm"] = lowerLayerNorm
	lowerings["layernorm_grad_x"] = lowerLayerNormGradX
	lowerings["layernorm_grad_weight"] = lowerLayerNormGradWeight
}

func lowerLayerNorm(c *call) ([]kernel, error) {
	x := c.types(c.in)[0].Shape
	return []kernel{c.rows("layernorm", x[0], x[1], 7, []operand{in(c.in[0]), in(c.in[1]), in(c.in[2]), out(c.out[0])}, float32(c.attrs["eps"]))}, nil
}

func lowerLayerNormGradX(c *call) ([]kernel, error) {
	x := c.types(c.in)[0].Shape
	return []kernel{c.rows("layernorm_grad_x", x[0], x[1], 16, []operand{in(c.in[0]), in(c.in[1]), in(c.in[2]), out(c.out[0])}, float32(c.attrs["eps"]))}, nil
}

func lowerLayerNormGradWeight(c *call) ([]kernel, error) {
	x := c.types(c.in)[0].Shape
	statistics := c.roomFor(0, 2*x[0])
	return append([]kernel{c.rows("layernorm_statistics", x[0], x[1], 4, []operand{in(c.in[0]), out(statistics)}, float32(c.attrs["eps"]))},
		c.columnSum(1, x[0], x[1], c.out[0], columnTerms{dy: c.in[1], x: c.in[0], perRow: statistics, flag: "STATISTICS"})...), nil
}
