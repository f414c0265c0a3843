package webgpu

func init() { lowerings["sgd"], takesShards["sgd"] = lowerSGD, true }

func lowerSGD(c *call) ([]kernel, error) {
	return append(c.copied(0), c.shardwise("sgd", c.out[0], 5,
		[]operand{out(c.out[0]), in(c.in[1]), in(c.in[2]), in(c.in[3])}, float32(c.attrs["weight_decay"]))...), nil
}
