package op_test

import (
	"fmt"
	"testing"

	"hone/core/op"
)

func plainSlice(x []float64, width, from, to int) []float64 {
	var out []float64
	for ; len(x) > 0; x = x[width:] {
		out = append(out, x[from:to]...)
	}
	return out
}

func sliceProgram(rows, width, from, to int) program {
	return program{fmt.Sprintf("columns %d to %d of %dx%d", from, to, rows, width), func(s *source) {
		x := s.param(rows, width)
		s.want(op.SliceColumns(s.Builder, x, from, to), plainSlice(s.of(x), width, from, to))
	}}
}

var sliceColumnsSuite = register("slice_columns",
	sliceProgram(3, 5, 1, 4),
	sliceProgram(2, 6, 0, 2),
	sliceProgram(1, 7, 6, 7),
	sliceProgram(4, 3, 0, 3),
	sliceProgram(1, 1, 0, 1),
	program{"a fused projection in three", func(s *source) { // the gradients of the parts are added up
		x := s.param(3, 9)
		for i := range 3 {
			s.want(op.SliceColumns(s.Builder, x, 3*i, 3*i+3), plainSlice(s.of(x), 9, 3*i, 3*i+3))
		}
	}},
)

func TestSliceColumns(t *testing.T) { sliceColumnsSuite.check(t) }
