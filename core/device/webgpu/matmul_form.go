package webgpu

// matmulForm is how a workgroup of shaders/matmul.wgsl works: across × down places of 8 columns and so many rows of C,
// at each of them depth invocations that share the terms of its sums. Tiled, the operands go through workgroup memory,
// of which each invocation brings a block of 4×4.
type matmulForm struct {
	across, down, rows, depth int
	tiled                     bool
}

const matmulCols = 8

// tiles are the forms for GPUs where C has many elements: 64×64 and 32×32 of them a workgroup. Of all that were timed on an
// H200 the first was within a tenth of the fastest for every large product, those with tiles of 128×128 included.
var tiles = []matmulForm{
	{across: 8, down: 16, rows: 4, depth: 2, tiled: true},
	{across: 4, down: 4, rows: 8, depth: 8, tiled: true},
}

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
	for _, f := range tiles {
		if f.groups(p.m, p.n) >= busy || p.k < 64 {
			return f
		}
	}
	// 64 invocations along the terms of the same few elements.
	f := matmulForm{across: 1, down: 1, rows: 8, depth: 64}
	if f.groups(p.m, p.n) < 4*busy {
		f.rows = 4
	}
	return f
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

// alone says that every invocation computes its elements by itself.
func (f matmulForm) alone() bool { return !f.tiled && f.depth == 1 }

// groups is the number of workgroups for C [m, n].
func (f matmulForm) groups(m, n int) int {
	return ceilDiv(m, f.rows*f.down) * ceilDiv(n, matmulCols*f.across)
}

func (f matmulForm) consts() map[string]uint32 {
	places := f.across * f.down
	c := map[string]int{"ACROSS": f.across, "DOWN": f.down, "DEPTH": f.depth, "INVOCATIONS": places * f.depth}
	shared := 0 // vectors of four
	if f.tiled {
		groups := matmulCols * f.across / 4
		terms := 2 * places * f.depth / groups
		c["GROUPS"], c["TERMS"], c["SLICE"] = groups, terms, terms/f.depth
		shared = 2 * groups * terms
	}
	if f.depth > 1 {
		lenders := places * f.depth / 2
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
