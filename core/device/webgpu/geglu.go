package webgpu

func init() {
	lowerings["geglu"] = func(c *call) ([]kernel, error) { return c.normal(c.oneResult("geglu", 16, c.in[1:]), true), nil }
	lowerings["geglu_grad"] = func(c *call) ([]kernel, error) { return c.normal(c.gatedGrad("geglu_grad"), true), nil }
}
