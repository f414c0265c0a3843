package kernel

import (
	"math"
	"testing"
)

// A NaN in a query makes its whole row of scores NaN. The row must come out as NaN, not as that of a query that sees nothing.
func TestAttentionKeepsNaN(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		p := NewPool(1)
		defer p.Close()
		const tq, dim = 70, 8
		q, k, v := make([]float32, tq*dim), make([]float32, tq*dim), make([]float32, tq*dim)
		seg, pos := make([]int32, tq), make([]int32, tq)
		for i := range q {
			q[i], k[i], v[i] = float32(i%7), float32(i%5), float32(i%3)
		}
		for i := range pos {
			seg[i], pos[i] = 1, int32(i)
		}
		const bad = 67
		for i := range dim {
			q[bad*dim+i] = float32(math.NaN())
		}
		out, lse := make([]float32, tq*dim), make([]float32, tq)
		p.AttentionForward(Attention{Batch: 1, Tq: tq, Tk: tq, Heads: 1, KV: 1, Dim: dim, Scale: 1, QSeg: seg, QPos: pos, KSeg: seg, KPos: pos}, q, k, v, out, lse)
		for i := range tq {
			isNaN := out[i*dim] != out[i*dim] && lse[i] != lse[i]
			if isNaN != (i == bad) {
				t.Errorf("query %d: output %v, lse %v", i, out[i*dim], lse[i])
			}
		}
	})
}
