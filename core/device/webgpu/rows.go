package webgpu

import (
	"hone/core/ir"
	"hone/core/tensor"
	"hone/shaders"
)

// rows is a kernel that takes whole rows of length n, each as much work as so many operations an element. On a device of
// the tiled variant a workgroup shares a row; else an invocation takes one, and few rows are spread over many small
// workgroups. The parameters begin with the first row, the rows, and a row's steps and elements.
func (c *call) rows(shader string, rows, n int, work int64, storage []operand, words ...any) kernel {
	v, steps := shaders.Variant{}, n
	if n%4 == 0 {
		v.Flags, steps = append(v.Flags, "VEC4"), n/4
	}
	lanes, per := 1, 8 // of a row, and rows of a workgroup
	if rows > 4096 {
		per = 64
	}
	if c.d.tiled() {
		v.Flags = append(v.Flags, "TILED")
		lanes, per = 64, 1
		if steps > 512 {
			lanes = 256
		}
	}
	v.Consts = map[string]uint32{"LANES": uint32(lanes), "WORKGROUP": uint32(lanes * per)}
	return kernel{shader: shader, variant: v, storage: storage, grids: c.d.grids(rows, per, work*int64(n), append([]any{steps, float32(n)}, words...)...)}
}

// columnTerms says what columnSum sums over the rows: dy or, with x and a number or two of each row, a product.
type columnTerms struct {
	dy, x, perRow ir.Value
	flag          string // SCALES, STATISTICS
}

// columnSum sums each column of a matrix [rows, n] into total [n]: first in pieces of about √rows rows, which gives the
// device more to do at once and keeps the rounding errors of long sums small. It uses the numbered room.
func (c *call) columnSum(number, rows, n int, total ir.Value, t columnTerms) []kernel {
	chunk := 32
	for chunk*chunk < rows {
		chunk *= 2
	}
	parts := ceilDiv(rows, chunk)
	pass := func(to ir.Value, rows, chunk int, t columnTerms) kernel {
		k := kernel{shader: "column_sum", storage: []operand{out(to), in(t.dy)}}
		if t.flag != "" {
			k.variant.Flags = append(k.variant.Flags, t.flag)
			k.storage = append(k.storage, in(t.x), in(t.perRow))
		}
		steps, work := n, int64(2*chunk)
		if n%4 == 0 {
			k.variant.Flags = append(k.variant.Flags, "VEC4")
			steps, work = n/4, 4*work
		}
		k.grids = c.d.grids(steps*ceilDiv(rows, chunk), elementGroup, work, steps, rows, chunk)
		return k
	}
	if parts == 1 {
		return []kernel{pass(total, rows, rows, t)}
	}
	sums := c.roomFor(number, parts*n)
	return []kernel{pass(sums, rows, chunk, t), pass(total, parts, parts, columnTerms{dy: sums})}
}

// total sums all elements of operand 0, or their squares and operand 1. What lies in several buffers is summed one after the
// other, each to the sum of those before.
func (c *call) total(squares bool) []kernel {
	t := c.types(c.in)[0]
	shards := c.d.shardsOf(t)
	var list []kernel
	before := ir.None
	if squares {
		before = c.in[1]
	}
	for i, s := range shards {
		to := c.out[0]
		if i < len(shards)-1 {
			to = c.roomFor(1+i%2, 1)
		}
		list = append(list, c.totalOf(operand{value: c.in[0], access: reads, shard: i}, s.of(t), squares, before, to)...)
		before = to
	}
	return list
}

// totalOf sums one buffer. A short one takes one workgroup; of a long one many invocations sum a part each first.
func (c *call) totalOf(x operand, t tensor.Type, squares bool, before, to ir.Value) []kernel {
	const most, parts = 8192, 16384 // steps of the workgroup alone, and sums that it is given
	n, flags, ends := t.Elements(), []string{}, []string{}
	storage := []operand{out(to), x}
	if squares {
		flags = append(flags, "SQUARES")
	}
	if before != ir.None {
		ends = append(ends, "ADD")
		storage = append(storage, in(before))
	}
	if n%4 == 0 {
		flags, n = append(flags, "VEC4"), n/4
	}
	if n <= most {
		return []kernel{{shader: "sum", variant: shaders.Variant{Flags: append(flags, ends...)}, storage: storage, grids: c.d.grids(1, 1, int64(8*n), n)}}
	}
	sums := c.roomFor(0, parts)
	storage[1].value = sums
	return []kernel{
		{shader: "sum_parts", variant: shaders.Variant{Flags: flags}, storage: []operand{out(sums), x},
			grids: c.d.grids(parts, elementGroup, int64(8*ceilDiv(n, parts)), n)},
		{shader: "sum", variant: shaders.Variant{Flags: append(ends, "VEC4")}, storage: storage, grids: c.d.grids(1, 1, 2*parts, parts/4)},
	}
}
