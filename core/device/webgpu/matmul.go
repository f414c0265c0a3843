package webgpu

import (
	"fmt"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
	"hone/shaders"
)

func init() {
	lowerings["matmul"] = lowerMatMul
	takesShards["matmul"], givesShards["matmul"] = true, true
}

// product is C [m, n] = alpha · op(A) · op(W) + D as the kernel sees it.
type product struct {
	m, k, n int
	ta, tw  bool
	alpha   float32
	a, c    ir.Value
	d       ir.Value // ir.None: nothing is added; C itself: C is added to
	w       ir.Value
	weight  tensor.Type
	vec4a   bool
}

// lowerMatMul chooses the variant of shaders/matmul.wgsl and cuts C into dispatches.
func lowerMatMul(c *call) ([]kernel, error) {
	types := c.types(c.in)
	p := product{ta: c.attrs["transpose_a"] != 0, tw: c.attrs["transpose_b"] != 0, alpha: float32(c.attrs["alpha"]),
		a: c.in[0], w: c.in[1], c: c.out[0], d: ir.None, weight: types[1], vec4a: types[0].Shape[1]%4 == 0}
	if len(c.d.shardsOf(types[0])) > 1 {
		return nil, fmt.Errorf("its first operand, %v, is more than the %d bytes of a buffer that a kernel of %s sees", types[0], c.d.about.maxBinding, c.d.about.name)
	}
	p.m, p.k, p.n = op.MatMulDims(c.attrs, types)
	switch {
	case c.overwrites(2):
		p.d = p.c
	case c.has(2):
		p.d = c.in[2]
	}
	return c.d.multiply(p), nil
}

// multiply gives a kernel for each buffer that C lies in, as the gradient of a large weight does in rows, and of these one for each
// that W lies in. Transposed, the latter are ranges of the columns of C; otherwise of the terms of its sums, and each but the first
// adds to what those before it left.
func (d *Device) multiply(p product) []kernel {
	var kernels []kernel
	for j, c := range d.shardsOf(tensor.Of(tensor.F32, p.m, p.n)) {
		p := p
		for i, w := range d.shardsOf(p.weight) {
			part := piece{firstRow: c.first, endRow: c.first + c.rows, endK: p.k, endCol: p.n, wFirst: w.first, wOrigin: w.first * p.weight.Shape[1],
				cFirst: -c.first, cShard: j, wShard: i}
			if p.tw {
				part.firstCol, part.endCol = w.first, w.first+w.rows
			} else {
				part.firstK, part.endK = w.first, w.first+w.rows
				if i > 0 {
					p.d = p.c
				}
			}
			kernels = append(kernels, d.part(p, part))
		}
	}
	return kernels
}

// piece is what one kernel does of a product: rows from firstRow to endRow, terms from firstK to endK, columns from firstCol to endCol.
// Row 0 of the buffer of W, which is number wShard, belongs to term or column wFirst, and is element wOrigin of the whole. Row 0 of C
// would be row cFirst of its buffer, which is number cShard.
type piece struct{ firstRow, endRow, firstK, endK, firstCol, endCol, wShard, wFirst, wOrigin, cShard, cFirst int }

// part is the kernel of a piece.
func (d *Device) part(p product, of piece) kernel {
	form := d.matmulForm(p)
	k := kernel{shader: "matmul", variant: p.variant(form), storage: []operand{in(p.a), {value: p.w, access: reads, shard: of.wShard},
		{value: p.c, access: writes, shard: of.cShard}}}
	if p.weight.DType == tensor.NF4 {
		k.storage = append(k.storage, operand{value: p.w, access: reads, scales: true})
	}
	if p.d != ir.None && p.d != p.c {
		k.storage = append(k.storage, operand{value: p.d, access: reads, shard: of.cShard})
	}
	k.grids = p.grids(form, of, d.submissionFLOPs, d.about.maxGroups)
	return k
}

// weightFlags are the flags of shaders/weights.wgsl for a matrix.
func weightFlags(t tensor.Type) []string {
	flags := map[tensor.DType][]string{tensor.F16: {"W_16", "W_F16"}, tensor.BF16: {"W_16", "W_BF16"}, tensor.NF4: {"W_NF4"}}[t.DType]
	if t.Shape[1]%4 == 0 {
		flags = append(flags, "VEC4_W")
	}
	return flags
}

func (p product) variant(form matmulForm) shaders.Variant {
	v := shaders.Variant{Flags: weightFlags(p.weight), Consts: form.consts()}
	flag := func(name string, on bool) {
		if on {
			v.Flags = append(v.Flags, name)
		}
	}
	flag("ROWS_8", form.rows == 8)
	flag("TILED", form.tiled)
	flag("DEEP", form.depth > 1)
	flag("TRANSPOSE_A", p.ta)
	flag("TRANSPOSE_W", p.tw)
	flag("VEC4_A", p.vec4a)
	flag("VEC4_C", p.n%4 == 0)
	flag("ADD", p.d != ir.None && p.d != p.c)
	flag("ADD_IN_PLACE", p.d == p.c)
	if p.weight.DType == tensor.NF4 && p.tw && p.k%4 == 0 && form.alone() {
		span := uint32(4)
		for span < 64 && p.k%int(2*span) == 0 {
			span *= 2
		}
		flag("SPANS", true)
		v.Consts["SPAN"] = span
	}
	return v
}

// grids covers the columns of a piece of C with rectangles of workgroups, of at most the given work each as
// far as a workgroup is not more than that by itself.
func (p product) grids(form matmulForm, of piece, budget int64, maxGroups int) []grid {
	high1, wide1 := form.rows*form.down, matmulCols*form.across // elements of a workgroup
	down, across := ceilDiv(of.endRow-of.firstRow, high1), ceilDiv(of.endCol-of.firstCol, wide1)
	work := 2 * int64(of.endK-of.firstK) * int64(high1) * int64(wide1)
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
				params: params(p.m, p.n, p.k, of.firstRow+y*high1, of.firstCol+x*wide1, p.alpha, of.firstK, of.endK, of.endCol, of.wFirst, of.wOrigin, of.cFirst, of.endRow),
				flops:  work * int64(h) * int64(w),
			})
		}
	}
	return grids
}

// Variants of the hot kernels.
const (
	Registers = "registers" // invocations share nothing: for software adapters
	Tiled     = "tiled"     // tiles in workgroup memory: for GPUs
)

// checkVariant refuses names that are none.
func checkVariant(name string) error {
	if name != "" && name != Registers && name != Tiled {
		return fmt.Errorf("webgpu: there are no kernels named %q; there are %s and %s", name, Registers, Tiled)
	}
	return nil
}
