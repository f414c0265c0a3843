package webgpu

func init() {
	lowerings["embedding"], takesShards["embedding"] = lowerEmbedding, true
	lowerings["embedding_grad"] = lowerEmbeddingGrad
}

// lowerEmbedding picks from one buffer of the table after another.
func lowerEmbedding(c *call) ([]kernel, error) {
	t := c.types(c.out)[0]
	n := t.Shape[1]
	if fours(t) {
		n /= 4
	}
	var list []kernel
	for i, s := range c.d.shardsOf(c.types(c.in)[0]) {
		k := c.elements("embedding", c.out[0], 1, []operand{out(c.out[0]), {value: c.in[0], access: reads, shard: i}, in(c.in[1])}, n, s.first, s.first+s.rows)
		k.variant.Flags = append(k.variant.Flags, weightFlags(c.types(c.in)[0])...)
		if i > 0 {
			k.variant.Flags = append(k.variant.Flags, "MORE")
		}
		list = append(list, k)
	}
	return list, nil
}

// lowerEmbeddingGrad clears the table and gives it the sums of rows with equal ids, in the order of the batch: no float
// atomics, so the same bits at every run.
func lowerEmbeddingGrad(c *call) ([]kernel, error) {
	t := c.types(c.in)[0]
	rows, n := t.Shape[0], t.Shape[1]
	if fours(t) {
		n /= 4
	}
	first, after, chains := c.chains(0, c.in[1], c.attrs.Int("rows"))
	return []kernel{
		c.zeros(0), chains,
		c.elements("embedding_grad", c.in[0], 2, []operand{out(c.out[0]), in(c.in[0]), in(c.in[1]), in(first), in(after)}, n, rows),
	}, nil
}
