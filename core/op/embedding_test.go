package op_test

import (
	"testing"

	"hone/core/op"
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

var embeddingSuite = register("embedding",
	embeddingProgram("ids that repeat, a row of zeros, rows unused", 6, 5, 4, 0, 4, -1, 5, 4, -7),
	embeddingProgram("one row", 1, 3, 0),
	embeddingProgram("width 1", 3, 1, 2, 2),
)

func TestEmbedding(t *testing.T) { embeddingSuite.check(t) }
