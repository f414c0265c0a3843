package webgpu

import (
	"hone/core/ir"
	"hone/core/tensor"
)

func init() {
	for op, f := range map[string]func(*call) ([]kernel, error){
		"linear_cross_entropy": lowerLinearCrossEntropy, "linear_cross_entropy_grad": lowerLinearCrossEntropyGrad,
	} {
		lowerings[op], takesShards[op] = f, true
	}
}

// loss is the loss over a vocabulary, taken some columns of the logits at a time for all rows: every piece of the weight
// is read once, and every row of its gradient written once.
type loss struct {
	c              *call
	rows, n, vocab int
	logits         ir.Value // memory for some columns
	logitsBytes    int64
	weight         tensor.Type
}

func newLoss(c *call, workspace ir.Value) loss {
	types := c.types(c.in)
	return loss{c: c, rows: types[0].Shape[0], n: types[0].Shape[1], vocab: types[1].Shape[0], weight: types[1],
		logits: workspace, logitsBytes: c.g.Nodes[workspace].Type.Bytes()}
}

// columns calls f for one piece of the vocabulary after another, none of which crosses buffers of the weight.
func (l *loss) columns(f func(first, n, shard int, s shard)) {
	const align = 64 // what a workgroup of matmul does
	bytes := l.logitsBytes
	if l.c.d.tiled() {
		bytes = max(bytes, 16<<20) // products that keep a GPU busy
	}
	most := int(bytes / int64(4*l.rows))
	if most = min(l.vocab, max(align, most/align*align)); int64(4*l.rows*most) > l.logitsBytes {
		l.logits = l.c.roomFor(1, l.rows*most) // more than the operator's workspace
	}
	for i, s := range l.c.d.shardsOf(l.weight) {
		for at := 0; at < s.rows; at += most {
			f(s.first+at, min(most, s.rows-at), i, s)
		}
	}
}

// product is the part of the logits, h · Wᵀ, for n tokens of the vocabulary from first on.
func (l *loss) product(first, n, number int, s shard) kernel {
	p := product{m: l.rows, k: l.n, n: n, tw: true, alpha: 1, a: l.c.in[0], c: l.logits, d: ir.None, w: l.c.in[1], weight: l.weight,
		vec4a: l.n%4 == 0}
	return l.c.d.part(p, piece{endRow: l.rows, endK: l.n, endCol: n, wShard: number, wFirst: s.first - first, wOrigin: s.first * l.n})
}

func lowerLinearCrossEntropy(c *call) ([]kernel, error) {
	l := newLoss(c, c.out[2])
	sums := c.roomFor(0, l.rows)
	var list []kernel
	l.columns(func(first, n, number int, s shard) {
		k := c.rows("linear_cross_entropy", l.rows, n, 12,
			[]operand{in(l.logits), in(c.in[2]), out(c.out[0]), out(c.out[1]), out(sums)}, first, n)
		if first == 0 {
			k.variant.Flags = append(k.variant.Flags, "FIRST")
		}
		if first+n == l.vocab {
			k.variant.Flags = append(k.variant.Flags, "LAST")
		}
		list = append(list, l.product(first, n, number, s), k)
	})
	return list, nil
}

// lowerLinearCrossEntropyGrad computes the logits again. For each piece of the vocabulary the gradient of its logits takes
// their place; times W it adds to dh, and times h it is a piece of dW.
func lowerLinearCrossEntropyGrad(c *call) ([]kernel, error) {
	l := newLoss(c, c.out[1])
	var list []kernel
	if c.has(5) {
		list = c.copiedTo(2, 5)
	}
	l.columns(func(first, n, number int, s shard) {
		list = append(list, l.product(first, n, number, s), l.grad(first, n))
		dh := product{m: l.rows, k: n, n: l.n, alpha: 1, a: l.logits, c: c.out[0], d: ir.None, w: c.in[1], weight: l.weight,
			vec4a: n%4 == 0}
		if first > 0 {
			dh.d = dh.c
		}
		list = append(list, c.d.part(dh, piece{endRow: l.rows, endK: n, endCol: l.n, wShard: number, wFirst: s.first - first, wOrigin: s.first * l.n}))
		if len(c.out) > 2 {
			dw := product{m: n, k: l.rows, n: l.n, ta: true, alpha: 1, a: l.logits, c: c.out[2], d: ir.None, w: c.in[0],
				weight: tensor.Of(tensor.F32, l.rows, l.n), vec4a: n%4 == 0}
			if c.has(5) {
				dw.d = dw.c
			}
			// It lies in as many buffers as the weight.
			list = append(list, c.d.part(dw, piece{endRow: n, endK: l.rows, endCol: l.n, cShard: number, cFirst: first - s.first}))
		}
	})
	return list, nil
}

// grad turns logits into their gradient.
func (l *loss) grad(first, n int) kernel {
	k, count, work := kernel{shader: "linear_cross_entropy_grad"}, l.rows*n, int64(8)
	steps := n
	if n%4 == 0 {
		k.variant.Flags = []string{"VEC4"}
		steps, count, work = n/4, count/4, 4*work
	}
	k.storage = []operand{out(l.logits), in(l.c.in[2]), in(l.c.in[3]), in(l.c.in[4])}
	k.grids = l.c.d.grids(count, elementGroup, work, steps, first)
	return k
}
