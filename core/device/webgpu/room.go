package webgpu

import "hone/core/ir"

// room is memory that kernels of one node hand each other: partial sums, statistics of rows. The nodes of a program use
// the same buffers for it, one after the other; they follow the plan's slots, and are counted with them.
type room struct {
	first int     // slot of the first
	bytes []int64 // of each
}

// roomFor gives number i of the node's buffers of so many 32-bit words, as a value that only kernels know.
func (c *call) roomFor(i, words int) ir.Value {
	for len(c.room.bytes) <= i {
		c.room.bytes = append(c.room.bytes, 0)
	}
	c.room.bytes[i] = max(c.room.bytes[i], 4*roundUp(int64(words), 4))
	return ir.None - 1 - ir.Value(i)
}

// slot finds the slot of a value that roomFor gave.
func (r *room) slot(v ir.Value) (int, bool) { return r.first + int(ir.None-1-v), v < ir.None }
