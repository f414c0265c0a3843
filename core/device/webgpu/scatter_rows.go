package webgpu

func init() { lowerings["scatter_rows"] = lowerScatterRows }

func lowerScatterRows(c *call) ([]kernel, error) {
	t := c.types(c.in)[1]
	rows, n := t.Shape[0], t.Shape[1]
	if fours(t) {
		n /= 4
	}
	return append(c.copied(0), c.elements("scatter_rows", c.in[1], int64(1+rows/8), []operand{out(c.out[0]), in(c.in[1]), in(c.in[2])}, n, rows)), nil
}
