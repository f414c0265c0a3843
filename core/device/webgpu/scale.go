package webgpu

func init() { lowerings["scale"] = lowerScale }

func lowerScale(c *call) ([]kernel, error) {
	return c.oneResult("scale", 1, nil, float32(c.attrs["factor"])), nil
}
