package webgpu

func init() { lowerings["adamw"], takesShards["adamw"] = lowerAdamW, true }

func lowerAdamW(c *call) ([]kernel, error) {
	a := c.attrs
	return append(c.copied(0, 2, 3), c.shardwise("adamw", c.out[0], 16,
		[]operand{out(c.out[0]), out(c.out[1]), out(c.out[2]), in(c.in[1]), in(c.in[4]), in(c.in[5])},
		float32(a["beta1"]), float32(1-a["beta1"]), float32(a["beta2"]), float32(1-a["beta2"]), float32(a["epsilon"]), float32(a["weight_decay"]))...), nil
}
