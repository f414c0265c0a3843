package webgpu

func init() { lowerings["scatter_rows"] = lowerScatterRows }

// lowerScatterRows lets every row see whether a later one has its place: by looking at all of them where they are few, else
// by the chains of those with the same place.
func lowerScatterRows(c *call) ([]kernel, error) {
	const few = 64
	t := c.types(c.in)[1]
	rows, n := t.Shape[0], t.Shape[1]
	if fours(t) {
		n /= 4
	}
	list := c.copied(0)
	storage := []operand{out(c.out[0]), in(c.in[1]), in(c.in[2])}
	if rows <= few {
		return append(list, c.elements("scatter_rows", c.in[1], int64(1+rows/8), storage, n, rows)), nil
	}
	_, after, chains := c.chains(0, c.in[2], c.types(c.in)[0].Shape[0])
	k := c.elements("scatter_rows", c.in[1], 1, append(storage, in(after)), n, rows)
	k.variant.Flags = append(k.variant.Flags, "CHAINS")
	return append(list, chains, k), nil
}
