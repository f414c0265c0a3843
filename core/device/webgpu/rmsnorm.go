package webgpu

import "hone/shaders"

func init() { lowerings["rmsnorm"] = lowerRMSNorm }

// lowerRMSNorm uses shaders/rmsnorm.wgsl, a row an invocation. Few rows are spread over many small workgroups.
func lowerRMSNorm(c *call) ([]kernel, error) {
	shape := c.types(c.in)[0].Shape
	rows, n := shape[0], shape[1]
	workgroup := 8
	if rows > 4096 {
		workgroup = 64
	}
	v := shaders.Variant{Consts: map[string]uint32{"WORKGROUP": uint32(workgroup)}}
	if n%4 == 0 {
		v.Flags = []string{"VEC4"}
	}
	return []kernel{{
		shader: "rmsnorm", variant: v,
		storage: []operand{in(c.in[0]), in(c.in[1]), out(c.out[0])},
		grids: []grid{{
			groups: [3]uint32{uint32(ceilDiv(rows, workgroup)), 1, 1},
			params: params(rows, n, float32(c.attrs["eps"])),
			flops:  4 * int64(rows) * int64(n),
		}},
	}}, nil
}
