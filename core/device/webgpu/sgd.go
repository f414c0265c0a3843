package webgpu

func init() { lowerings["sgd"] = lowerSGD }

func lowerSGD(c *call) ([]kernel, error) {
	return append(c.copied(0), c.elements("sgd", c.out[0], 5,
		[]operand{out(c.out[0]), in(c.in[1]), in(c.in[2]), in(c.in[3])}, float32(c.attrs["weight_decay"]))), nil
}
