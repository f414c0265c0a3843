package device

import (
	"cmp"
	"slices"
)

// Pool shares temporary buffers between the programs of a device: the largest slot of each uses the largest buffer,
// and so on down. Sizes are in bytes, largest first.
type Pool struct{ Sizes []int64 }

// Fit grows the pool so that a program with the given slots fits, and tells which buffer each slot uses.
func (p *Pool) Fit(slots []int64) (buffer []int) {
	order := make([]int, len(slots))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(slots[b], slots[a]) })
	buffer = make([]int, len(slots))
	for rank, slot := range order {
		if rank == len(p.Sizes) {
			p.Sizes = append(p.Sizes, 0)
		}
		p.Sizes[rank] = max(p.Sizes[rank], slots[slot])
		buffer[slot] = rank
	}
	return buffer
}
