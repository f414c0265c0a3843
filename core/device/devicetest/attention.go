package devicetest

import (
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/op"
)

const attentionTolerance = 1e-5

// attentionShape is a call of attention: batch rows of tq queries and tk keys.
type attentionShape struct {
	batch, tq, tk, heads, kvHeads, dim, window int
}

var attentionShapes = []attentionShape{
	{1, 1, 1, 1, 1, 1, 0},
	{1, 17, 17, 2, 2, 8, 0},
	{2, 13, 13, 4, 2, 16, 0},
	{1, 33, 33, 3, 1, 5, 7},
	{3, 6, 6, 2, 1, 12, 1},
	{1, 1, 40, 4, 2, 64, 0}, // one more token after a cache
	{2, 5, 70, 2, 2, 20, 0}, // queries behind a prefix
	{1, 70, 70, 1, 1, 80, 0},
	{1, 37, 37, 2, 1, 64, 0},
	{1, 19, 50, 1, 1, 128, 0},
}

// masks are the ways in which tokens see each other.
var masks = []struct {
	name  string
	token func(row, i, n int) (segment, position int32)
}{
	{"causal", func(_, i, _ int) (int32, int32) { return 1, int32(i) }},
	{"packed", func(row, i, n int) (int32, int32) { // two sequences, then padding
		third := max(1, n/3)
		if i >= 2*third+row {
			return 0, 0
		}
		return int32(1 + i/third), int32(i % third)
	}},
	{"all padding", func(_, _, _ int) (int32, int32) { return 0, 0 }},
	{"a prefix and no order", func(row, i, n int) (int32, int32) { // keys of segment -1, positions that go back and forth
		if i < n/4 {
			return -1, 0
		}
		return 1 + int32(row), int32((i*7 + 3) % n)
	}},
}

func attentionCases() []Case {
	var cases []Case
	for i, s := range attentionShapes {
		for j, m := range masks {
			if j > 1 && i != 1 && i != 2 && i != 6 {
				continue
			}
			cases = append(cases, newCase(fmt.Sprintf("attention %+v, %s", s, m.name), attentionTolerance, func(d *draft) {
				d.attention(s, m.token)
			}))
		}
	}
	return cases
}

// attention traces a call and its gradient, with outputs for all results.
func (d *draft) attention(s attentionShape, token func(row, i, n int) (segment, position int32)) {
	tokens := func(n, from int) op.Tokens {
		var segments, positions []int32
		for row := range s.batch {
			for i := range n {
				segment, position := token(row, from+i, from+n)
				segments, positions = append(segments, segment), append(positions, position)
			}
		}
		return op.Tokens{Segments: d.ints(segments), Positions: d.ints(positions)}
	}
	query, key := tokens(s.tq, s.tk-s.tq), tokens(s.tk, 0)
	q, k, v := d.feeds(s.batch*s.tq, s.heads*s.dim), d.feeds(s.batch*s.tk, s.kvHeads*s.dim), d.feeds(s.batch*s.tk, s.kvHeads*s.dim)
	shape := op.AttentionShape{Batch: s.batch, Heads: s.heads, KVHeads: s.kvHeads, HeadDim: s.dim, Scale: 1 / math.Sqrt(float64(s.dim)), Window: s.window}
	y := op.Attention(d.Builder, q, k, v, query, key, shape)
	lse := d.Part(y, 1)
	d.Output("y", y)
	d.Output("lse", lse)
	attrs := ir.Attrs{"batch": float64(s.batch), "heads": float64(s.heads), "kv_heads": float64(s.kvHeads), "head_dim": float64(s.dim),
		"scale": shape.Scale, "window": float64(s.window)}
	g := d.Apply("attention_grad", attrs, q, k, v, query.Segments, query.Positions, key.Segments, key.Positions, y, lse, d.feeds(s.batch*s.tq, s.heads*s.dim))
	d.Output("dq", g)
	d.Output("dk", d.Part(g, 1))
	d.Output("dv", d.Part(g, 2))
}

// LongAttention is causal attention over one sequence and its gradient, for timing.
func LongAttention(tokens, heads, kvHeads, dim int) Case {
	return newCase(fmt.Sprintf("attention %d x %d", tokens, heads*dim), attentionTolerance, func(d *draft) {
		d.attention(attentionShape{1, tokens, tokens, heads, kvHeads, dim, 0}, masks[0].token)
	})
}
