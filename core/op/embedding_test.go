package op_test

import (
	"testing"

	"hone/core/op"
	"hone/core/tensor"
)

func plainEmbedding(table []float64, width int, ids []int32) []float64 {
	out := make([]float64, len(ids)*width)
	for row, id := range ids {
		if id >= 0 {
			copy(out[row*width:], table[int(id)*width:][:width])
		}
	}
	return out
}

func embeddingProgram(name string, rows, width int, ids ...int32) program {
	return program{name, func(s *source) {
		table := s.param(rows, width)
		s.want(op.Embedding(s.Builder, table, s.ints(ids...)), plainEmbedding(s.of(table), width, ids))
	}}
}

func halfEmbeddingProgram(d tensor.DType) program {
	return program{"a table in " + d.String(), func(s *source) {
		table := s.half(d, 6, 5)
		ids := []int32{4, 0, -1, 5, 5}
		s.want(op.Embedding(s.Builder, table, s.ints(ids...)), plainEmbedding(s.of(table), 5, ids))
	}}
}

var embeddingSuite = register("embedding",
	embeddingProgram("ids that repeat, a row of zeros, rows unused", 6, 5, 4, 0, 4, -1, 5, 4, -7),
	embeddingProgram("one row", 1, 3, 0),
	embeddingProgram("width 1", 3, 1, 2, 2),
	program{"a table used twice", func(s *source) { // one gradient is added to the other
		table, more := s.param(6, 5), []int32{5, 1, 1}
		s.want(op.Embedding(s.Builder, table, s.ints(0, 4, 4)), plainEmbedding(s.of(table), 5, []int32{0, 4, 4}))
		s.want(op.Embedding(s.Builder, table, s.ints(more...)), plainEmbedding(s.of(table), 5, more))
	}},
	halfEmbeddingProgram(tensor.F16),
	halfEmbeddingProgram(tensor.BF16),
)

func TestEmbedding(t *testing.T) { embeddingSuite.check(t) }
