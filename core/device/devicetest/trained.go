package devicetest

import (
	"fmt"

	"hone/core/ir"
	"hone/core/op"
)

// trainedCases are what happens to a matrix that is trained, an embedding, a head or one within the layers: its gradients are added to
// the sum of those before, and the update goes over it. It is large beside all else, and where kernels see only a part of it, lies in
// several buffers.
func trainedCases() []Case {
	var cases []Case
	for _, s := range []struct{ vocab, n, rows int }{{1, 1, 1}, {131, 24, 7}, {301, 33, 9}, {1030, 64, 5}} {
		tied := func(name string, use func(d *draft, table ir.Value) ir.Value) {
			cases = append(cases, newCase(fmt.Sprintf("%s, gradient of a table of %dx%d summed", name, s.vocab, s.n), lossTolerance, func(d *draft) {
				table, sum := d.state("table", 0.2, s.vocab, s.n), d.state("sum", 1, s.vocab, s.n)
				d.GradEach(use(d, table), []ir.Value{table}, []ir.Value{sum}, func(_ int, sum ir.Value) { d.Assign("sum", sum) })
			}))
		}
		ids := func(d *draft) []int32 {
			v := d.some(s.rows, 0, s.vocab-1)
			v[0] = int32(s.vocab - 1)
			return v
		}
		loss := func(d *draft, h, table ir.Value) ir.Value {
			return op.Sum(d.Builder, op.LinearCrossEntropy(d.Builder, h, table, d.ints(ids(d))))
		}
		tied("embedding", func(d *draft, table ir.Value) ir.Value {
			return loss(d, op.Embedding(d.Builder, table, d.ints(ids(d))), d.weight("head", s.n, s.vocab, s.n))
		})
		tied("linear_cross_entropy", func(d *draft, table ir.Value) ir.Value { return loss(d, d.feeds(s.rows, s.n), table) })
		tied("embedding and linear_cross_entropy", func(d *draft, table ir.Value) ir.Value {
			return loss(d, op.Embedding(d.Builder, table, d.ints(ids(d))), table)
		})
		tied("matmul with the transposed", func(d *draft, table ir.Value) ir.Value {
			y := op.Linear(d.Builder, d.feeds(s.rows, s.n), table)
			return op.Sum(d.Builder, op.MatMul(d.Builder, y, d.feeds(s.vocab, 1), ir.None, op.Orientation{}, 0.5))
		})
		tied("matmul", func(d *draft, table ir.Value) ir.Value {
			y := op.MatMul(d.Builder, d.feeds(s.rows, s.vocab), table, ir.None, op.Orientation{}, 0.5)
			return op.Sum(d.Builder, op.Linear(d.Builder, y, d.feeds(3, s.n)))
		})
		cases = append(cases, newCase(fmt.Sprintf("update of a table of %dx%d", s.vocab, s.n), 2*sumTolerance, func(d *draft) {
			p, m, v := d.state("p", 1, s.vocab, s.n), d.state("m", 1, s.vocab, s.n), d.state("v", 0, s.vocab, s.n)
			grad, q := d.state("grad", 1, s.vocab, s.n), d.state("q", 1, s.vocab, s.n)
			total := op.SumSquares(d.Builder, grad, d.constant(2))
			factor, norm := op.ClipGradNorm(d.Builder, total, d.constant(7), 0.5)
			settings := op.AdamWSettings{Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-2, WeightDecay: 0.1}
			rates := d.constant(op.AdamWRates(0.1, 2, settings)...)
			p, m, v = op.AdamW(d.Builder, p, grad, m, v, factor, rates, settings)
			d.Assign("p", p)
			d.Assign("m", m)
			d.Assign("v", v)
			d.Assign("q", op.SGD(d.Builder, op.Add(d.Builder, q, grad), grad, factor, rates, 0.1))
			d.Assign("grad", op.ZerosLike(d.Builder, grad))
			d.Output("norm", norm)
		}))
	}
	return cases
}
