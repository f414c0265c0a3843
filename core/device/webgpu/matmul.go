package webgpu

import (
	"fmt"

	"hone/core/op"
	"hone/core/tensor"
	"hone/shaders"
)

func init() { lowerings["matmul"] = lowerMatMul }

// lowerMatMul chooses the variant of shaders/matmul.wgsl and cuts C into dispatches.
func lowerMatMul(c *call) ([]kernel, error) {
	types := c.types(c.in)
	if types[1].DType != tensor.F32 {
		return nil, fmt.Errorf("there is no kernel for a second matrix of type %v yet", types[1])
	}
	m, k, n := op.MatMulDims(c.attrs, types)
	ta, tb := c.attrs["transpose_a"] != 0, c.attrs["transpose_b"] != 0
	v := shaders.Variant{}
	flag := func(name string, on bool) {
		if on {
			v.Flags = append(v.Flags, name)
		}
	}
	rows := 4
	if m > 4 {
		rows = 8
	}
	flag("ROWS_8", rows == 8)
	flag("TRANSPOSE_A", ta)
	flag("TRANSPOSE_B", tb)
	flag("VEC4_A", types[0].Shape[1]%4 == 0)
	flag("VEC4_B", types[1].Shape[1]%4 == 0)
	flag("VEC4_C", n%4 == 0)
	storage := []operand{in(c.in[0]), in(c.in[1]), out(c.out[0])}
	switch {
	case c.overwrites(2):
		flag("ADD_IN_PLACE", true)
	case c.has(2):
		flag("ADD", true)
		storage = append(storage, in(c.in[2]))
	}
	return []kernel{{shader: "matmul", variant: v, storage: storage, grids: matMulGrids(m, k, n, rows, float32(c.attrs["alpha"]), c.d.submissionFLOPs, c.d.about.maxGroups)}}, nil
}

// matMulGrids covers C with rectangles of workgroups, 8×8 invocations of rows×8 elements, of at most the given work
// each as far as a workgroup is not more than that by itself.
func matMulGrids(m, k, n, rows int, alpha float32, budget int64, maxGroups int) []grid {
	const cols, side = 8, 8 // columns of an invocation, invocations of a workgroup in either direction
	down, across := ceilDiv(m, rows*side), ceilDiv(n, cols*side)
	work := 2 * int64(k) * int64(rows*side) * int64(cols*side)
	most := int(max(1, min(budget/work, int64(maxGroups))))
	wide := min(across, most)
	high := max(1, most/wide)
	if wide < across {
		high = 1
	}
	var grids []grid
	for y := 0; y < down; y += high {
		for x := 0; x < across; x += wide {
			h, w := min(high, down-y), min(wide, across-x)
			grids = append(grids, grid{
				groups: [3]uint32{uint32(w), uint32(h), 1},
				params: params(m, n, k, y*rows*side, x*cols*side, alpha),
				flops:  work * int64(h) * int64(w),
			})
		}
	}
	return grids
}
