package ir_test

import (
	"strings"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// A feed that two operators use has to please both; what no operator indexes with may be anything.
func TestIndices(t *testing.T) {
	g, err := ir.Trace(func(b *ir.Builder) {
		small, large := b.Feed("small", tensor.Of(tensor.F32, 4, 2)), b.Feed("large", tensor.Of(tensor.F32, 7, 2))
		ids, targets := b.Feed("ids", tensor.Of(tensor.I32, 3)), b.Feed("targets", tensor.Of(tensor.I32, 3))
		h := op.Add(b, op.Embedding(b, large, ids), op.Embedding(b, small, ids))
		h = op.RoPE(b, h, b.Feed("positions", tensor.Of(tensor.I32, 3)), b.Constant([]float32{1}, 1), op.RopeShape{})
		b.Output("loss", op.LinearCrossEntropy(b, h, large, targets))
	})
	if err != nil {
		t.Fatal(err)
	}
	x := ir.IndicesOf(g)
	for _, c := range []struct {
		ids, targets, positions [3]int32
		want                    string
	}{
		{ids: [3]int32{0, 3, -1}, targets: [3]int32{6, 0, -100}},
		{positions: [3]int32{1 << 30, -7, 0}},
		{ids: [3]int32{0, 4, 0}, want: `feed "ids": number 1 is 4, and operator embedding wants it below 4`},
		{ids: [3]int32{9, 0, 0}, want: `feed "ids": number 0 is 9, and operator embedding wants it below`},
		{targets: [3]int32{0, 0, 7}, want: `feed "targets": number 2 is 7, and operator linear_cross_entropy wants it below 7`},
		{targets: [3]int32{0, -1, 0}, want: "and not negative, or -100"},
	} {
		err := x.Check(map[string]tensor.Host{"ids": tensor.Ints(c.ids[:], 3), "targets": tensor.Ints(c.targets[:], 3), "positions": tensor.Ints(c.positions[:], 3)})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: error %v", c, err)
		}
	}
}
