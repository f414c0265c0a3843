package op_test

import (
	"math"
	"testing"

	"hone/core/op"
)

// mixture is a case of attention: who is where, and how the heads are cut.
type mixture struct {
	name                   string
	shape                  op.AttentionShape
	qSeg, qPos, kSeg, kPos []int32 // nil key tokens are the query's
}

// plainAttention computes all scores of a row, takes the softmax, and mixes: the definition.
func (m mixture) plainAttention(q, k, v []float64) []float64 {
	a := m.shape
	tq, tk, out := len(m.qSeg)/a.Batch, len(m.kSeg)/a.Batch, make([]float64, len(q))
	for query := range m.qSeg {
		for h := range a.Heads {
			kv := h / (a.Heads / a.KVHeads)
			scores, total := make([]float64, tk), 0.0
			for j := range scores {
				key := query/tq*tk + j
				distance := m.qPos[query] - m.kPos[key]
				if m.qSeg[query] == 0 || m.kSeg[key] != -1 && m.kSeg[key] != m.qSeg[query] || distance < 0 || a.Window > 0 && int(distance) >= a.Window {
					continue
				}
				var s float64
				for i := range a.HeadDim {
					s += q[(query*a.Heads+h)*a.HeadDim+i] * k[(key*a.KVHeads+kv)*a.HeadDim+i]
				}
				scores[j] = math.Exp(s * a.Scale)
				total += scores[j]
			}
			for j, p := range scores {
				for i := range a.HeadDim {
					if p > 0 {
						out[(query*a.Heads+h)*a.HeadDim+i] += p / total * v[((query/tq*tk+j)*a.KVHeads+kv)*a.HeadDim+i]
					}
				}
			}
		}
	}
	return out
}

func (m mixture) program() program {
	if m.kSeg == nil {
		m.kSeg, m.kPos = m.qSeg, m.qPos
	}
	return program{m.name, func(s *source) {
		a := m.shape
		q := s.param(len(m.qSeg), a.Heads*a.HeadDim)
		k, v := s.param(len(m.kSeg), a.KVHeads*a.HeadDim), s.param(len(m.kSeg), a.KVHeads*a.HeadDim)
		query := op.Tokens{Segments: s.ints(m.qSeg...), Positions: s.ints(m.qPos...)}
		key := op.Tokens{Segments: s.ints(m.kSeg...), Positions: s.ints(m.kPos...)}
		s.want(op.Attention(s.Builder, q, k, v, query, key, a), m.plainAttention(s.of(q), s.of(k), s.of(v)))
	}}
}

var mixtures = []mixture{
	{name: "causal", shape: op.AttentionShape{Batch: 1, Heads: 1, KVHeads: 1, HeadDim: 3, Scale: 0.6},
		qSeg: []int32{1, 1, 1, 1, 1}, qPos: []int32{0, 1, 2, 3, 4}},
	{name: "one token, one element", shape: op.AttentionShape{Batch: 1, Heads: 1, KVHeads: 1, HeadDim: 1, Scale: 1},
		qSeg: []int32{1}, qPos: []int32{0}},
	{name: "grouped heads, two rows, padding at the end", shape: op.AttentionShape{Batch: 2, Heads: 6, KVHeads: 2, HeadDim: 3, Scale: 0.5},
		qSeg: []int32{1, 1, 1, 0, 1, 1, 0, 0}, qPos: []int32{0, 1, 2, 3, 0, 1, 2, 3}},
	{name: "three packed segments", shape: op.AttentionShape{Batch: 1, Heads: 2, KVHeads: 1, HeadDim: 2, Scale: 0.7},
		qSeg: []int32{1, 1, 2, 2, 2, 3, 0}, qPos: []int32{0, 1, 0, 1, 2, 0, 0}},
	{name: "window", shape: op.AttentionShape{Batch: 1, Heads: 1, KVHeads: 1, HeadDim: 5, Scale: 0.4, Window: 2},
		qSeg: []int32{1, 1, 1, 1, 1}, qPos: []int32{0, 1, 2, 3, 4}},
	{name: "window of 1", shape: op.AttentionShape{Batch: 1, Heads: 2, KVHeads: 2, HeadDim: 2, Scale: 0.4, Window: 1},
		qSeg: []int32{1, 1, 1}, qPos: []int32{0, 1, 2}},
	{name: "prefix keys", shape: op.AttentionShape{Batch: 2, Heads: 2, KVHeads: 1, HeadDim: 3, Scale: 0.5},
		qSeg: []int32{1, 1, 2, 0, 1, 1, 1, 1}, qPos: []int32{2, 3, 2, 0, 2, 3, 4, 5},
		kSeg: []int32{-1, -1, 1, 1, 2, 0, -1, -1, 1, 1, 1, 1}, kPos: []int32{0, 1, 2, 3, 2, 0, 0, 1, 2, 3, 4, 5}},
	{name: "one query on a cache with room left", shape: op.AttentionShape{Batch: 2, Heads: 4, KVHeads: 2, HeadDim: 2, Scale: 0.8},
		qSeg: []int32{1, 1}, qPos: []int32{2, 4},
		kSeg: []int32{1, 1, 1, 0, 0, 1, 1, 1, 1, 1}, kPos: []int32{0, 1, 2, 0, 0, 0, 1, 2, 3, 4}},
	{name: "a cache whose rows are out of order", shape: op.AttentionShape{Batch: 1, Heads: 1, KVHeads: 1, HeadDim: 2, Scale: 0.8, Window: 3},
		qSeg: []int32{1, 1}, qPos: []int32{4, 5},
		kSeg: []int32{1, 1, 1, 1}, kPos: []int32{4, 5, 2, 3}},
	{name: "a query that sees nothing", shape: op.AttentionShape{Batch: 1, Heads: 2, KVHeads: 1, HeadDim: 3, Scale: 0.5},
		qSeg: []int32{3, 1, 1}, qPos: []int32{0, 1, 0},
		kSeg: []int32{1, 1, 2, 1}, kPos: []int32{1, 2, 0, 1}},
	{name: "all is padding", shape: op.AttentionShape{Batch: 1, Heads: 1, KVHeads: 1, HeadDim: 2, Scale: 1},
		qSeg: []int32{0, 0}, qPos: []int32{0, 1}, kSeg: []int32{-1, 0, 0}, kPos: []int32{0, 0, 1}},
}

func attentionPrograms() (all []program) {
	for _, m := range mixtures {
		all = append(all, m.program())
	}
	return append(all, program{"scores far from zero", func(s *source) { // exp overflows unless the maximum is taken off
		q, k := s.floats([]float64{1, 1, 1}, 3, 1), s.floats([]float64{-2000, 0, 2000}, 3, 1)
		at := op.Tokens{Segments: s.ints(1, 1, 1), Positions: s.ints(0, 1, 2)}
		v := s.floats([]float64{3, 5, 7}, 3, 1)
		a := op.AttentionShape{Batch: 1, Heads: 1, KVHeads: 1, HeadDim: 1, Scale: 1}
		s.want(op.Attention(s.Builder, q, k, v, at, at, a), []float64{3, 5, 7})
	}}, program{"only the values are trained", func(s *source) {
		m := mixtures[0]
		q, k, v := s.random(5, 3), s.random(5, 3), s.param(5, 3)
		at := op.Tokens{Segments: s.ints(m.qSeg...), Positions: s.ints(m.qPos...)}
		m.kSeg, m.kPos = m.qSeg, m.qPos
		s.want(op.Attention(s.Builder, q, k, v, at, at, m.shape), m.plainAttention(s.of(q), s.of(k), s.of(v)))
	}})
}

var attentionSuite = register("attention", attentionPrograms()...)

func TestAttention(t *testing.T) { attentionSuite.check(t) }
