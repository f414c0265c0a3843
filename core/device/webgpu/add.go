package webgpu

func init() { lowerings["add"], takesShards["add"] = lowerAdd, true }

func lowerAdd(c *call) ([]kernel, error) { return c.oneResult("add", 1, c.in[1:]), nil }
