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
	return []kernel{v.packed(), v.kernel("attention", v.queries*v.heads, 8, 4*int64(v.tk),
		in(c.in[0]), in(c.in[1]), in(c.in[2]), in(v.tokens), out(c.out[0]), out(c.out[1]))}, nil
}

func lowerAttentionGrad(c *call) ([]kernel, error) {
	v := viewAttention(c)
	rows := c.roomFor(1, 2*v.queries*v.heads)
	deltas := v.kernel("attention_deltas", v.queries*v.heads, elementGroup, 2, in(c.in[7]), in(c.in[9]), in(c.in[8]), out(rows))
	gradQ := v.kernel("attention_grad_q", v.queries*v.heads, 8, 6*int64(v.tk),
		in(c.in[0]), in(c.in[1]), in(c.in[2]), in(v.tokens), in(rows), in(c.in[9]), out(c.out[0]))
	gradKV := v.kernel("attention_grad_kv", v.keys*v.kvHeads, 8, 8*int64(v.tq*v.heads/v.kvHeads),
		in(c.in[0]), in(c.in[1]), in(c.in[2]), in(v.tokens), in(rows), in(c.in[9]), out(c.out[1]), out(c.out[2]))
	return []kernel{v.packed(), deltas, gradQ, gradKV}, nil
}
