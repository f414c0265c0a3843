package webgpu

func init() {
	lowerings["rmsnorm"] = lowerRMSNorm
	lowerings["rmsnorm_grad_x"] = lowerRMSNormGradX
	lowerings["rmsnorm_grad_weight"] = lowerRMSNormGradWeight
}

// normRows gives the rows that a norm with a weight of length n looks at, groups of a row of x counted one by one, and
// what is added to its weight.
func (c *call) normRows(n int) (rows int, offset float32) {
	return c.types(c.in)[0].Elements() / n, float32(c.attrs["unit_offset"])
}

func lowerRMSNorm(c *call) ([]kernel, error) {
	n := c.types(c.in)[1].Shape[0]
	rows, offset := c.normRows(n)
	return []kernel{c.rows("rmsnorm", rows, n, 4,
		[]operand{in(c.in[0]), in(c.in[1]), out(c.out[0])}, float32(c.attrs["eps"]), offset)}, nil
}

func lowerRMSNormGradX(c *call) ([]kernel, error) {
	n := c.types(c.in)[1].Shape[0]
	rows, offset := c.normRows(n)
	return []kernel{c.rows("rmsnorm_grad_x", rows, n, 9,
		[]operand{in(c.in[0]), in(c.in[1]), in(c.in[2]), out(c.out[0])}, float32(c.attrs["eps"]), offset)}, nil
}

func lowerRMSNormGradWeight(c *call) ([]kernel, error) {
	n := c.types(c.out)[0].Shape[0]
	rows, _ := c.normRows(n)
	scales := c.roomFor(0, rows)
	return append([]kernel{c.rows("rmsnorm_scales", rows, n, 2, []operand{in(c.in[0]), out(scales)}, float32(c.attrs["eps"]))},
		c.columnSum(1, rows, n, c.out[0], columnTerms{dy: c.in[1], x: c.in[0], perRow: scales, flag: "SCALES"})...), nil
}
