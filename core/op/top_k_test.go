package op_test

import (
	"math"
	"slices"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

func topKProgram(name string, k int, x ...float64) program {
	return program{name, func(s *source) {
		order := make([]int, len(x))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int {
			switch {
			case x[i] > x[j]:
				return -1
			case x[i] < x[j]:
				return 1
			}
			return 0
		})
		var values, places []float64
		for _, i := range order[:k] {
			values, places = append(values, x[i]), append(places, float64(i))
		}
		v, p := op.TopK(s.Builder, s.floats(x, 1, len(x)), k)
		s.want(v, values)
		s.want(p, places)
	}}
}

var topKSuite = register("top_k",
	topKProgram("one of one", 1, 3),
	topKProgram("the greatest", 1, -4, 2, 7, 7, 1),
	topKProgram("equal ones", 4, 1, 2, 0, 2, 2, 1, -3, 2),
	topKProgram("all", 5, -1, -5, 0, 4, 3),
)

func TestTopK(t *testing.T) { topKSuite.check(t) }

// What is no number comes first, infinities have their places, and 0 and -0 are equal.
func TestTopKNotFinite(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	typ := tensor.Of(tensor.F32, 8)
	g, err := ir.Trace(func(b *ir.Builder) {
		v, p := op.TopK(b, b.Feed("x", typ), 8)
		b.Output("values", v)
		b.Output("places", p)
	})
	if err != nil {
		t.Fatal(err)
	}
	x := []float64{math.Copysign(0, -1), 1, nan, -inf, inf, 0, nan, -1}
	out, _, err := ir.Interpret(g, map[string]ir.Tensor[float64]{"x": {Type: typ, F: x}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []float64{2, 6, 4, 1, 0, 5, 7, 3}; !slices.Equal(out["places"].F, want) {
		t.Errorf("the places are %v, want %v", out["places"].F, want)
	}
}
