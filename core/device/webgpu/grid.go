package webgpu

// grids cuts n pieces of work, of which a workgroup takes per and one costs about work operations, into dispatches: each
// within what one submission may be and what a dispatch may have of workgroups. The parameters of each begin with the
// piece at which it starts and the number of all pieces; the words follow.
func (d *Device) grids(n, per int, work int64, words ...any) []grid {
	each := max(1, work) * int64(per)
	most := int(max(1, min(d.submissionFLOPs/each, int64(d.about.maxGroups))))
	var list []grid
	for first := 0; first < n; first += most * per {
		groups := min(most, ceilDiv(n-first, per))
		list = append(list, grid{
			groups: [3]uint32{uint32(groups), 1, 1},
			params: params(append([]any{first, n}, words...)...),
			flops:  each * int64(groups),
		})
	}
	return list
}
