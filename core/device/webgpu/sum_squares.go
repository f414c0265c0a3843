package webgpu

func init() { lowerings["sum_squares"], takesShards["sum_squares"] = lowerSumSquares, true }

func lowerSumSquares(c *call) ([]kernel, error) { return c.total(true), nil }
