package webgpu

import "hone/shaders"

func init() {
	lowerings["slice_columns"] = func(c *call) ([]kernel, error) { return c.columns(c.attrs.Int("from")), nil }
	lowerings["slice_columns_grad"] = func(c *call) ([]kernel, error) { return c.columns(-c.attrs.Int("from")), nil }
}

// columns copies columns of operand 0 into the result, whose column 0 is column from of it; what is not there is 0.
func (c *call) columns(from int) []kernel {
	x, y := c.types(c.in)[0], c.types(c.out)[0]
	n, width, count, v := x.Shape[1], y.Shape[1], y.Elements(), shaders.Variant{}
	if fours(x) && fours(y) && from%4 == 0 {
		v.Flags, n, width, from, count = []string{"VEC4"}, n/4, width/4, from/4, count/4
	}
	return []kernel{{shader: "columns", variant: v, storage: []operand{out(c.out[0]), in(c.in[0])}, grids: c.d.grids(count, elementGroup, 4, n, width, from)}}
}
