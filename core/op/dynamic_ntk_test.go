package op_test

import (
	"math"
	"testing"

	"hone/core/op"
)

func dynamicNTKProgram(name string, pairs int, theta, factor float64, most int, positions ...int32) program {
	return program{name, func(s *source) {
		longest := 0
		for _, p := range positions {
			longest = max(longest, int(p)+1)
		}
		base, dim := theta, float64(2*pairs)
		if longest > most {
			base *= math.Pow(factor*float64(longest)/float64(most)-factor+1, dim/(dim-2))
		}
		want := make([]float64, pairs)
		for i := range want {
			want[i] = math.Exp(-2 * float64(i) / dim * math.Log(base))
		}
		s.want(op.DynamicNTK(s.Builder, s.ints(positions...), pairs, theta, factor, most), want)
	}}
}

var dynamicNTKSuite = register("dynamic_ntk",
	dynamicNTKProgram("as trained", 4, 10000, 2, 16, 0, 1, 15),
	dynamicNTKProgram("one token too many", 4, 10000, 2, 16, 0, 16),
	dynamicNTKProgram("far beyond, in any order", 8, 500000, 4, 16, 3, 127, 5, 0),
	dynamicNTKProgram("two pairs, factor 1", 2, 10000, 1, 8, 31),
	dynamicNTKProgram("one position", 3, 100, 8, 1, 0),
)

func TestDynamicNTK(t *testing.T) { dynamicNTKSuite.check(t) }
