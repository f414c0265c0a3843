package devicetest

import (
	"fmt"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/rng"
)

// dice draw the shapes of a random case.
type dice struct {
	key   rng.Key
	drawn uint64
}

// upTo is a number from 1 to n: small ones, multiples of four and powers of two come more often than others.
func (r *dice) upTo(n int) int {
	r.drawn++
	v := r.key.Block(r.drawn)
	size := int(v[0])%n + 1
	switch v[1] % 4 {
	case 0:
		size = min(size, int(v[2]%8)+1)
	case 1:
		size = (size + 3) / 4 * 4
	case 2:
		p := 1
		for p*2 <= size {
			p *= 2
		}
		size = p
	}
	return min(size, n)
}

func (r *dice) below(n int) int {
	r.drawn++
	return int(r.key.Block(r.drawn)[0]) % n
}

// RandomCases are n cases of random operators at random shapes; the same seed gives the same cases.
func RandomCases(seed uint64, n int) []Case {
	var cases []Case
	for i := range n {
		r := &dice{key: rng.NewKey(seed, rng.Init, uint64(i))}
		name, f, tolerance := r.draw()
		cases = append(cases, newCase(fmt.Sprintf("random %d of seed %d, %s", i, seed, name), tolerance, func(d *draft) {
			d.stream = seed<<20 + uint64(i)<<8
			f(d)
		}))
	}
	return cases
}

// draw chooses an operator and its shape.
func (r *dice) draw() (name string, f func(d *draft), tolerance float64) {
	rows, n := r.upTo(150), r.upTo(150)
	shape := fmt.Sprintf("%dx%d", rows, n)
	switch r.below(8) {
	case 0:
		o := elementOps[r.below(len(elementOps))]
		over := r.below(2) == 0
		return fmt.Sprintf("%s %s, over its operands %v", o.name, shape, over), func(d *draft) {
			in := make([]ir.Value, o.operands)
			for i := range in {
				if in[i] = d.feeds(rows, n); over {
					in[i] = d.temporary(in[i])
				}
			}
			d.outputs(o.apply(d, in, rows, n), o.results)
		}, o.tolerance
	case 1:
		groups, offset := r.upTo(5), float64(r.below(2))
		return fmt.Sprintf("rmsnorm of %d groups of %s, offset %v", groups, shape, offset), func(d *draft) {
			a := ir.Attrs{"eps": 1e-3, "unit_offset": offset, "width": float64(n)}
			x, w, dy := d.feeds(rows, groups*n), d.feeds(n), d.feeds(rows, groups*n)
			d.Output("y", d.Apply("rmsnorm", a, x, w))
			d.Output("dx", d.Apply("rmsnorm_grad_x", a, x, w, dy))
			d.Output("dw", d.Apply("rmsnorm_grad_weight", a, x, dy))
		}, sumTolerance
	case 2:
		return "layernorm " + shape, func(d *draft) {
			a := ir.Attrs{"eps": 1e-3}
			x, w, dy := d.feeds(rows, n), d.feeds(n), d.feeds(rows, n)
			d.Output("y", d.Apply("layernorm", a, x, w, d.feeds(n)))
			d.Output("dx", d.Apply("layernorm_grad_x", a, x, w, dy))
			d.Output("dw", d.Apply("layernorm_grad_weight", a, x, dy))
		}, sumTolerance
	case 3:
		heads, pairs := r.upTo(4), r.upTo(20)
		rest, turned := r.below(9), r.below(2) == 1
		return fmt.Sprintf("rope %d heads of %d pairs and %d, interleaved %v", heads, pairs, rest, turned), func(d *draft) {
			freq := make([]float32, pairs)
			for i := range freq {
				freq[i] = 1 / float32(int(1)<<(i%12))
			}
			x := d.feeds(rows, heads*(2*pairs+rest))
			d.Output("y", op.RoPE(d.Builder, x, d.ints(d.some(rows, 0, 1<<17-1)), d.constant(freq...), op.RopeShape{HeadDim: 2*pairs + rest, Interleaved: turned}))
		}, sineTolerance
	case 4:
		s := attentionShape{batch: r.upTo(3), tq: r.upTo(40), kvHeads: r.upTo(3), dim: r.upTo(70), window: r.below(3) * r.upTo(40)}
		s.tk, s.heads = s.tq+r.below(2)*r.upTo(40), s.kvHeads*r.upTo(3)
		m := masks[r.below(len(masks))]
		return fmt.Sprintf("attention %+v, %s", s, m.name), func(d *draft) { d.attention(s, m.token) }, attentionTolerance * 2
	case 5:
		table := r.upTo(60)
		return fmt.Sprintf("rows of a table of %d, %s", table, shape), func(d *draft) {
			ids := d.ints(d.some(rows, -1, table-1))
			d.Output("y", op.Embedding(d.Builder, d.feeds(table, n), ids))
			d.Output("dtable", d.Apply("embedding_grad", ir.Attrs{"rows": float64(table)}, d.feeds(rows, n), ids))
			d.Output("scattered", op.ScatterRows(d.Builder, d.feeds(table, n), d.feeds(rows, n), ids))
		}, elementTolerance * 40
	case 6:
		from := r.below(n)
		to := from + r.upTo(n-from)
		return fmt.Sprintf("columns %d to %d of %s", from, to, shape), func(d *draft) {
			y := op.SliceColumns(d.Builder, d.feeds(rows, n), from, to)
			d.Output("y", y)
			d.Output("dx", d.Apply("slice_columns_grad", ir.Attrs{"from": float64(from), "width": float64(n)}, y))
		}, 0
	default:
		k, o := r.upTo(150), op.Orientation{A: r.below(2) == 0, B: r.below(2) == 0}
		added := r.below(2) == 0
		return fmt.Sprintf("matmul %dx%dx%d, %+v, added to %v", rows, k, n, o, added), func(d *draft) {
			a, b, c := []int{rows, k}, []int{k, n}, ir.None
			if o.A {
				a = []int{k, rows}
			}
			if o.B {
				b = []int{n, k}
			}
			if added {
				c = d.feeds(rows, n)
			}
			d.Output("y", op.MatMul(d.Builder, d.feeds(a...), d.weight("w", k, b...), c, o, 0.5))
		}, matMulTolerance
	}
}
