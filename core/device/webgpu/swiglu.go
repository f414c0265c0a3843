package webgpu

func init() {
	lowerings["swiglu"] = lowerSwiGLU
	lowerings["swiglu_grad"] = lowerSwiGLUGrad
}

func lowerSwiGLU(c *call) ([]kernel, error) { return c.oneResult("swiglu", 8, c.in[1:]), nil }

func lowerSwiGLUGrad(c *call) ([]kernel, error) { return c.gatedGrad("swiglu_grad"), nil }

// gatedGrad is a kernel that writes the gradients of gate and up over gate and up.
func (c *call) gatedGrad(shader string) []kernel {
	return append(c.copied(0, 1), c.elements(shader, c.out[0], 12, []operand{out(c.out[0]), out(c.out[1]), in(c.in[2])}))
}
