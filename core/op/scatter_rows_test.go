package op_test

import (
	"fmt"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

func scatterProgram(name string, n, width int, at ...int32) program {
	return program{name, func(s *source) {
		dst, src := s.random(n, width), s.random(len(at), width)
		want := s.of(dst)
		for i, row := range at {
			if row >= 0 {
				copy(want[int(row)*width:], s.of(src)[i*width:][:width])
			}
		}
		s.want(op.ScatterRows(s.Builder, dst, src, s.ints(at...)), want)
	}}
}

var scatterRowsSuite = register("scatter_rows",
	scatterProgram("3 into 5", 5, 3, 4, 0, 2),
	scatterProgram("one dropped", 5, 3, -1, 3),
	scatterProgram("a later row wins", 3, 1, 1, 1),
	scatterProgram("one row", 1, 7, 0),
)

func TestScatterRows(t *testing.T) { scatterRowsSuite.check(t) }

// Keys and values written to a cache a few tokens at a time give what attention over all tokens at once gives.
func TestKeyValueCache(t *testing.T) {
	const tokens, capacity, heads, kvHeads, dim = 5, 7, 4, 2, 3
	shape := op.AttentionShape{Batch: 1, Heads: heads, KVHeads: kvHeads, HeadDim: dim, Scale: 0.5}
	q, k, v := normals(0, tokens*heads*dim), normals(1, tokens*kvHeads*dim), normals(2, tokens*kvHeads*dim)
	all := mixture{shape: shape, qSeg: []int32{1, 1, 1, 1, 1}, qPos: []int32{0, 1, 2, 3, 4}}
	all.kSeg, all.kPos = all.qSeg, all.qPos
	want := all.plainAttention(q, k, v)

	cache := tensor.Of(tensor.F32, capacity, kvHeads*dim)
	states := map[string]ir.Tensor[float64]{"k": {Type: cache, F: make([]float64, cache.Elements())}, "v": {Type: cache, F: make([]float64, cache.Elements())}}
	done := 0
	for _, rows := range []int{2, 1, 2} {
		s := &source{feeds: map[string]ir.Tensor[float64]{}, states: map[string]ir.Tensor[float64]{}, names: map[ir.Value]string{}}
		g, err := ir.Trace(func(b *ir.Builder) {
			s.Builder = b
			at, ones, seen, positions := make([]int32, rows), make([]int32, rows), make([]int32, capacity), make([]int32, capacity)
			for i := range rows {
				at[i], ones[i] = int32(done+i), 1
			}
			for i := range done + rows {
				seen[i], positions[i] = 1, int32(i)
			}
			atValue := s.ints(at...)
			remember := func(name string, x []float64) ir.Value {
				new := s.floats(x[done*kvHeads*dim:][:rows*kvHeads*dim], rows, kvHeads*dim)
				v := op.ScatterRows(b, b.State(name, cache), new, atValue)
				b.Assign(name, v)
				return v
			}
			query := s.floats(q[done*heads*dim:][:rows*heads*dim], rows, heads*dim)
			b.Output("y", op.Attention(b, query, remember("k", k), remember("v", v),
				op.Tokens{Segments: s.ints(ones...), Positions: atValue}, op.Tokens{Segments: s.ints(seen...), Positions: s.ints(positions...)}, shape))
		})
		if err != nil {
			t.Fatal(err)
		}
		out, assigned, err := ir.Interpret(g, s.feeds, states)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, fmt.Sprintf("tokens from %d", done), out["y"].F, want[done*heads*dim:][:rows*heads*dim], 1e-12)
		states, done = assigned, done+rows
	}
}
