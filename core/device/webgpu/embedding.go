package webgpu

func init() {
	lowerings["embedding"], takesShards["embedding"] = lowerEmbedding, true
	lowerings["embedding_grad"], takesShards["embedding_grad"] = lowerEmbeddingGrad, true
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

// lowerEmbeddingGrad clears the table, or begins with the one that is given, and gives it the sums of rows with equal ids, in
// the order of the batch: no float atomics, so the same bits at every run.
func lowerEmbeddingGrad(c *call) ([]kernel, error) {
	t := c.types(c.in)[0]
	rows, n := t.Shape[0], t.Shape[1]
	if fours(t) {
		n /= 4
	}
	first, after, chains := c.chains(0, c.in[1], c.attrs.Int("rows"))
	list := c.zeros(0)
	if c.has(2) {
		list = c.copiedTo(0, 2)
	}
	list = append(list, chains)
	for i, s := range c.d.shardsOf(c.types(c.out)[0]) {
		k := c.elements("embedding_grad", c.in[0], 2, []operand{{value: c.out[0], access: writes, shard: i}, in(c.in[0]), in(c.in[1]), in(first), in(after)},
			n, rows, s.first, s.first+s.rows)
		if c.has(2) {
			k.variant.Flags = append(k.variant.Flags, "ADD")
		}
		list = append(list, k)
	}
	return list, nil
}
