package webgpu

import (
	"hone/core/ir"
	"hone/shaders"
)

func init() {
	lowerings["attention"] = lowerAttention
	lowerings["attention_grad"] = lowerAttentionGrad
}

// attention is the geometry of a call.
type attention struct {
	*call
	queries, keys, tq, tk, heads, kvHeads, dim int
	tokens                                     ir.Value // room for segments and positions of queries and keys
}

func viewAttention(c *call) attention {
	a, types := c.attrs, c.types(c.in)
	batch := a.Int("batch")
	v := attention{call: c, queries: types[0].Shape[0], keys: types[1].Shape[0], heads: a.Int("heads"), kvHeads: a.Int("kv_heads"), dim: a.Int("head_dim")}
	v.tq, v.tk = v.queries/batch, v.keys/batch
	v.tokens = c.roomFor(0, 2*(v.queries+v.keys))
	return v
}

// packed puts segments and positions where the other kernels find them.
func (v attention) packed() kernel {
	n := v.queries + v.keys
	return kernel{shader: "attention_tokens",
		storage: []operand{out(v.tokens), in(v.call.in[3]), in(v.call.in[4]), in(v.call.in[5]), in(v.call.in[6])},
		grids:   v.d.grids(n, elementGroup, 4, v.queries)}
}

// kernel takes n pieces in workgroups of so many; each is about work operations on an element of a head.
func (v attention) kernel(shader string, n, per int, work int64, storage ...operand) kernel {
	variant, steps := shaders.Variant{}, v.dim
	if v.dim%4 == 0 {
		variant.Flags, steps = []string{"VEC4"}, v.dim/4
	}
	variant.Consts = map[string]uint32{"STEPS": uint32(steps), "WORKGROUP": uint32(per)}
	return kernel{shader: shader, variant: variant, storage: storage,
		grids: v.d.grids(n, per, work*int64(v.dim), v.queries, v.keys, v.tq, v.tk, v.heads, v.kvHeads, v.attrs.Int("window"), float32(v.attrs["scale"]))}
}

func lowerAttention(c *call) ([]kernel, error) {
	v := viewAttention(c)
	storage := []operand{in(c.in[0]), in(c.in[1]), in(c.in[2]), in(v.tokens), out(c.out[0]), out(c.out[1])}
	if k, ok := v.tiled("attention_tiled", v.queries, v.heads, v.tq, 1, 4*int64(v.tk), storage); ok {
		return []kernel{v.packed(), k}, nil
	}
	return []kernel{v.packed(), v.kernel("attention", v.queries*v.heads, 8, 4*int64(v.tk), storage...)}, nil
}

func lowerAttentionGrad(c *call) ([]kernel, error) {
	v := viewAttention(c)
	rows := c.roomFor(1, 2*v.queries*v.heads)
	common := []operand{in(c.in[0]), in(c.in[1]), in(c.in[2]), in(v.tokens), in(rows), in(c.in[9])}
	list := []kernel{v.packed(), v.kernel("attention_deltas", v.queries*v.heads, elementGroup, 2, in(c.in[7]), in(c.in[9]), in(c.in[8]), out(rows))}
	workQ, workKV := 6*int64(v.tk), 8*int64(v.tq*v.heads/v.kvHeads)
	forQ, forKV := append(common[:6:6], out(c.out[0])), append(common[:6:6], out(c.out[1]), out(c.out[2]))
	q, ok := v.tiled("attention_grad_tiled", v.queries, v.heads, v.tq, 2, workQ, forQ)
	if !ok {
		return append(list, v.kernel("attention_grad_q", v.queries*v.heads, 8, workQ, forQ...), v.kernel("attention_grad_kv", v.keys*v.kvHeads, 8, workKV, forKV...)), nil
	}
	kv, _ := v.tiled("attention_grad_tiled", v.keys, v.kvHeads, v.tk, 2, workKV, forKV)
	kv.variant.Flags = append(kv.variant.Flags, "FOR_KEYS")
	return append(list, q, kv), nil
}

// workgroupMemory is what every device has for the invocations of a workgroup to share, in bytes.
const workgroupMemory = 16384

// tiled is a kernel whose workgroups take several rows of a head, of which each batch row has so many, against tiles of
// columns; it keeps so many vectors of each row and column. It is not there for a device of the other variant, nor where
// heads are too long for the memory of a workgroup.
func (v attention) tiled(shader string, rows, heads, rowsOfBatch, vectors int, work int64, storage []operand) (kernel, bool) {
	if !v.d.tiled() {
		return kernel{}, false
	}
	steps, bytes := v.dim, 4
	if v.dim%4 == 0 {
		steps, bytes = v.dim/4, 16
	}
	for _, tile := range [][2]int{{16, 32}, {16, 16}, {8, 16}, {8, 8}, {4, 8}, {4, 4}} {
		r, c := tile[0], tile[1]
		if r > 4 && r >= 2*rowsOfBatch || vectors*(r+c)*(steps+1)*bytes+vectors*r*c*4+64 > workgroupMemory {
			continue
		}
		blocks := ceilDiv(rowsOfBatch, r)
		k := v.kernel(shader, rows/rowsOfBatch*heads*blocks, 1, work*int64(r), storage...)
		delete(k.variant.Consts, "WORKGROUP")
		for name, n := range map[string]int{"ROWS": r, "COLS": c, "PER_ROW": 64 / r, "STRIDE": steps + 1, "HELD": ceilDiv(steps, 64/r),
			"ROW_TILE": r * (steps + 1), "COL_TILE": c * (steps + 1), "PAIRS": r * c} {
			k.variant.Consts[name] = uint32(n)
		}
		return k, true
	}
	return kernel{}, false
}
