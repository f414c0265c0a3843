package webgpu

func init() { lowerings["clip_grad_norm"] = lowerClipGradNorm }

func lowerClipGradNorm(c *call) ([]kernel, error) {
	return []kernel{{shader: "clip_grad_norm",
		storage: []operand{out(c.out[0]), out(c.out[1]), in(c.in[0]), in(c.in[1])},
		grids:   c.d.grids(1, 1, 1, float32(c.attrs["max_grad_norm"]))}}, nil
}
