package webgpu

import (
	"hone/core/ir"
	"hone/shaders"
)

// chains links the rows with equal ids, of which there are n: the first row of each chain, and for each row the one after it.
// It uses three of the node's rooms, from the numbered one on.
func (c *call) chains(number int, ids ir.Value, n int) (first, after ir.Value, k kernel) {
	rows := c.g.Nodes[ids].Type.Elements()
	first, after = c.roomFor(number, rows), c.roomFor(number+1, rows)
	block := 64
	if c.d.tiled() {
		block = 256 // fewer turns, which a GPU waits for one after the other
	}
	return first, after, kernel{shader: "row_chains", variant: shaders.Variant{Consts: map[string]uint32{"BLOCK": uint32(block)}},
		storage: []operand{out(first), out(after), out(c.roomFor(number+2, n)), in(ids)}, grids: c.d.grids(1, 1, int64(rows*block), rows)}
}
