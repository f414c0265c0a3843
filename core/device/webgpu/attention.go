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
	if k, ok := v.tiled("attention_tiled", v.queries, v.heads, v.tq, false, 4*int64(v.tk), storage); ok {
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
	q, ok := v.tiled("attention_grad_tiled", v.queries, v.heads, v.tq, true, workQ, forQ)
	if !ok {
		return append(list, v.kernel("attention_grad_q", v.queries*v.heads, 8, workQ, forQ...), v.kernel("attention_grad_kv", v.keys*v.kvHeads, 8, workKV, forKV...)), nil
	}
	kv, _ := v.tiled("attention_grad_tiled", v.keys, v.kvHeads, v.tk, true, workKV, forKV)
	kv.variant.Flags = append(kv.variant.Flags, "FOR_KEYS")
	kv.variant.Consts["RESULTS"] *= 2 // dk and dv
	return append(list, q, kv), nil
}

// attentionTiles are rows and columns of a tile, the best first.
var attentionTiles = [][2]int{{16, 32}, {16, 16}, {16, 8}, {4, 32}, {4, 16}, {4, 8}, {4, 4}}

// tiled is a kernel whose workgroups take several rows of a head, of which each batch row has so many, against tiles of
// columns; with grad it keeps two vectors of each row. It is not there for a device of the other variant, nor where heads
// are too long for the memory of a workgroup.
func (v attention) tiled(shader string, rows, heads, rowsOfBatch int, grad bool, work int64, storage []operand) (kernel, bool) {
	if !v.d.tiled() {
		return kernel{}, false
	}
	steps, bytes, kept := v.dim, 4, 1
	if v.dim%4 == 0 {
		steps, bytes = v.dim/4, 16
	}
	if grad {
		kept = 2
	}
	for _, tile := range attentionTiles {
		r, c := tile[0], tile[1]
		groups := r / 4
		lanes := 64 / groups
		memory := (kept*r+c)*(steps+1)*bytes + kept*groups*c*16 + 64*16 + 16
		if r > 4 && r >= 2*rowsOfBatch || c > lanes && grad || memory > v.d.workgroupMemory() {
			continue
		}
		blocks := ceilDiv(rowsOfBatch, r)
		k := v.kernel(shader, rows/rowsOfBatch*heads*blocks, 1, work*int64(r), storage...)
		if c > lanes {
			k.variant.Flags = append(k.variant.Flags, "TWO_COLS")
		}
		delete(k.variant.Consts, "WORKGROUP")
		held := ceilDiv(steps, lanes)
		for name, n := range map[string]int{"ROWS": r, "COLS": c, "GROUPS": groups, "LANES": lanes, "STRIDE": steps + 1, "HELD": held,
			"RESULTS": 4 * held, "SECOND": 4 * held, "ROW_TILE": kept * r * (steps + 1), "COL_TILE": c * (steps + 1), "PAIRS": groups * c} {
			k.variant.Consts[name] = uint32(n)
		}
		return k, true
	}
	return kernel{}, false
}

// workgroupMemory is what invocations of a workgroup share at most, in bytes. More than 32 KiB would leave a GPU with too
// few workgroups at a time.
func (d *Device) workgroupMemory() int { return min(max(d.about.maxShared, 16384), 32768) }
