package webgpu

func init() {
	lowerings["gelu"] = func(c *call) ([]kernel, error) {
		return c.normal(c.oneResult("gelu", 20, nil), c.attrs["tanh"] != 0), nil
	}
	lowerings["gelu_grad"] = func(c *call) ([]kernel, error) {
		return c.normal(c.oneResult("gelu_grad", 30, c.in[1:]), c.attrs["tanh"] != 0), nil
	}
}

// normal chooses the distribution function of the last kernel: exact, or with tanh.
func (c *call) normal(list []kernel, tanh bool) []kernel {
	if k := &list[len(list)-1]; tanh {
		k.variant.Flags = append(k.variant.Flags, "TANH")
	}
	return list
}
