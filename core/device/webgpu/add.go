package webgpu

func init() { lowerings["add"] = lowerAdd }

func lowerAdd(c *call) ([]kernel, error) { return c.oneResult("add", 1, c.in[1:]), nil }
