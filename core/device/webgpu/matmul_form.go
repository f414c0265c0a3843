package webgpu

// matmulForm is how a workgroup of shaders/matmul.wgsl works: across × down places of 8 columns and so many rows of C,
// at each of them depth invocations that share the terms of its sums. With terms > 0 the operands go through workgroup
// memory, so many terms at a time.
type matmulForm struct {
	across, down, rows, depth, terms int
}

const matmulCols = 8

// Forms for GPUs; all invocations of a warp have work in each.
var (
	largeTiles = matmulForm{across: 16, down: 16, rows: 8, depth: 1, terms: 16}
	smallTiles = matmulForm{across: 8, down: 8, rows: 8, depth: 2, terms: 32}
)

// busy is how many workgroups keep a large GPU busy.
const busy = 96

// matmulForm is the form for a product. It depends on nothing but the variant and the product's shape, as the order in
// which terms are summed does.
func (d *Device) matmulForm(p product) matmulForm {
	if d.form != nil {
		return *d.form
	}
	if d.variant != Tiled {
		return spread(p.m, p.n)
	}
	for _, f := range []matmulForm{largeTiles, smallTiles} {
		if f.groups(p.m, p.n) >= busy {
			return f
		}
	}
	if p.k < 64 {
		return smallTiles
	}
	return deep(p)
}

// spread places 64 invocations, each by itself, so that as few as can be lie outside of C.
func spread(m, n int) matmulForm {
	f := matmulForm{across: 8, down: 8, rows: 8, depth: 1}
	if m <= 4 {
		f.rows = 4
	}
	for f.across > 1 && n <= matmulCols*f.across/2 {
		f.across, f.down = f.across/2, f.down*2
	}
	for f.down > 1 && m <= f.rows*f.down/2 && n > matmulCols*f.across {
		f.across, f.down = f.across*2, f.down/2
	}
	return f
}

// deep places 64 invocations along the terms of the same few elements of C. Where an operand lies across the terms, some of
// them are neighbours there, so that they read whole lines of memory.
func deep(p product) matmulForm {
	f := matmulForm{across: 1, down: 1, rows: 8, depth: 64}
	if p.m <= 4 {
		f.rows = 4
	}
	switch {
	case !p.tw && p.n > 16:
		f.across, f.depth = 4, 16
	case p.ta && p.m > 16:
		f.down, f.depth = 4, 16
	}
	return f
}

// alone says that every invocation computes its elements by itself.
func (f matmulForm) alone() bool { return f.terms == 0 && f.depth == 1 }

// groups is the number of workgroups for C [m, n].
func (f matmulForm) groups(m, n int) int {
	return ceilDiv(m, f.rows*f.down) * ceilDiv(n, matmulCols*f.across)
}

func (f matmulForm) consts() map[string]uint32 {
	c := map[string]int{"ACROSS": f.across, "DOWN": f.down, "DEPTH": f.depth, "INVOCATIONS": f.across * f.down * f.depth}
	shared := 0 // vectors of four
	if f.terms > 0 {
		rows, cols := f.rows*f.down/4, matmulCols*f.across/4 // groups of four
		c["TERMS"], c["SLICE"], c["ROW_GROUPS"], c["COL_GROUPS"] = f.terms, f.terms/f.depth, rows, cols
		c["A_BLOCKS"], c["W_BLOCKS"] = rows*f.terms/4, cols*f.terms/4
		shared = (rows + cols) * f.terms
	}
	if f.depth > 1 {
		lenders := f.across * f.down * f.depth / 2
		c["LENDERS"] = lenders
		shared = max(shared, lenders*f.rows*matmulCols/4)
	}
	if shared > 0 {
		c["SHARED"] = shared
	}
	consts := map[string]uint32{}
	for name, v := range c {
		consts[name] = uint32(v)
	}
	return consts
}
