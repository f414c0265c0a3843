package devicetest

import (
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/rng"
)

const (
	normTolerance = 5e-6
	sumTolerance  = 3e-5 // of sums of numbers of size one, over hundreds to thousands of them
	sineTolerance = 2e-6
)

func reductionCases() []Case {
	var cases []Case
	for _, s := range append([][2]int{{2500, 3}, {300, 70}, {700, 64}, {130, 1041}}, shapes...) {
		size := math.Sqrt(float64(s[0] * s[1])) // sums grow with the root of their length; the results are then of size one
		for _, c := range []struct {
			op    string
			apply func(d *draft, x ir.Value) ir.Value
		}{
			{"sum", func(d *draft, x ir.Value) ir.Value { return op.Sum(d.Builder, x) }},
			{"sum_squares", func(d *draft, x ir.Value) ir.Value { return op.SumSquares(d.Builder, x, d.feeds(1)) }},
			{"add_bias_grad", func(d *draft, x ir.Value) ir.Value { return d.Apply("add_bias_grad", nil, x) }},
		} {
			cases = append(cases, newCase(fmt.Sprintf("%s %dx%d", c.op, s[0], s[1]), sumTolerance, func(d *draft) {
				d.Output("y", c.apply(d, d.feed("x", 1/size, s[0], s[1])))
			}))
		}
	}
	return cases
}

func normCases() []Case {
	var cases []Case
	for _, s := range append([][2]int{{1, 64}, {300, 20}, {17, 896}}, shapes...) {
		for _, size := range []float64{1, 1e-3, 300} {
			if size != 1 && s[1] != 64 && s[1] != 5 {
				continue
			}
			rows, n := s[0], s[1]
			add := func(name string, tolerance float64, f func(d *draft)) {
				cases = append(cases, newCase(fmt.Sprintf("%s %dx%d of size %g", name, rows, n, size), tolerance, f))
			}
			eps := ir.Attrs{"eps": 1e-6}
			add("rmsnorm", normTolerance, func(d *draft) {
				d.Output("y", op.RMSNorm(d.Builder, d.feed("x", size, rows, n), d.state("weight", 1, n), 1e-6))
			})
			add("rmsnorm_grad_x", normTolerance*4, func(d *draft) {
				d.Output("y", d.Apply("rmsnorm_grad_x", eps, d.feed("x", size, rows, n), d.state("weight", 1, n), d.feed("dy", size, rows, n)))
			})
			add("rmsnorm_grad_weight", sumTolerance, func(d *draft) {
				d.Output("y", d.Apply("rmsnorm_grad_weight", eps, d.feed("x", size, rows, n), d.feed("dy", 1/math.Sqrt(float64(rows)), rows, n)))
			})
		}
	}
	return cases
}

// ropeCases have frequencies of few digits, so that the angle is exact in float32: what is asked for is its sine.
func ropeCases() []Case {
	var cases []Case
	frequency := []float32{1, 0.75, 0.4140625, 0.1015625, 41.0 / 4096, 1.0 / 4096, 0.984375, 0.5}
	positions := []int32{0, 1, 2, 3, 355, 710, 31, 1000, 4095, 32767, 100000, 131071, 103993, 65535, 7, 44}
	for _, c := range []struct{ rows, heads, pairs int }{{1, 1, 1}, {16, 3, 8}, {5, 2, 3}, {16, 1, 5}} {
		for _, sign := range []float64{1, -1} {
			for _, over := range []bool{false, true} {
				name := fmt.Sprintf("rope %+v, sign %v, over its operand %v", c, sign, over)
				cases = append(cases, newCase(name, sineTolerance, func(d *draft) {
					x := d.feeds(c.rows, c.heads*2*c.pairs)
					if over {
						x = d.temporary(x)
					}
					d.Output("y", d.Apply("rope", ir.Attrs{"sign": sign}, x, d.ints(positions[:c.rows]), d.constant(frequency[:c.pairs]...)))
				}))
			}
		}
	}
	return cases
}

// some draws n whole numbers from low to high, both included.
func (d *draft) some(n, low, high int) []int32 {
	d.stream++
	key, v := rng.NewKey(1, rng.Init, d.stream), make([]int32, n)
	for i := range v {
		v[i] = int32(low + key.Intn(uint64(i), high-low+1))
	}
	return v
}

// rowCases pick, gather and scatter rows by numbers, some of them negative, some of them the same.
func rowCases() []Case {
	var cases []Case
	for _, s := range []struct{ table, rows, n int }{{1, 1, 1}, {7, 30, 5}, {40, 9, 12}, {3, 200, 16}, {300, 90, 33}, {9, 1000, 2}, {700, 777, 4}, {2, 65, 3}, {600, 512, 1}} {
		name := fmt.Sprintf("%d rows of a table of %dx%d", s.rows, s.table, s.n)
		cases = append(cases, newCase("embedding of "+name, 0, func(d *draft) {
			d.Output("y", op.Embedding(d.Builder, d.state("table", 1, s.table, s.n), d.ints(d.some(s.rows, -2, s.table-1))))
		}))
		cases = append(cases, newCase("embedding_grad of "+name, elementTolerance*20, func(d *draft) {
			d.Output("y", d.Apply("embedding_grad", ir.Attrs{"rows": float64(s.table)}, d.feeds(s.rows, s.n), d.ints(d.some(s.rows, -2, s.table-1))))
		}))
		cases = append(cases, newCase("embedding_grad, added to others, of "+name, elementTolerance*20, func(d *draft) {
			grad := d.feeds(s.rows, s.n)
			ids := d.ints(d.some(s.rows, -2, s.table-1))
			a := ir.Attrs{"rows": float64(s.table)}
			d.Output("y", d.Apply("embedding_grad", a, grad, ids, d.feeds(s.table, s.n)))
			d.Assign("sum", d.Apply("embedding_grad", a, grad, ids, d.state("sum", 1, s.table, s.n)))
		}))
		cases = append(cases, newCase("scatter_rows of "+name, 0, func(d *draft) {
			at := d.ints(d.some(s.rows, -2, s.table-1))
			d.Output("y", op.ScatterRows(d.Builder, d.feeds(s.table, s.n), d.feeds(s.rows, s.n), at))
			d.Assign("table", op.ScatterRows(d.Builder, d.state("table", 1, s.table, s.n), d.feeds(s.rows, s.n), at))
		}))
	}
	return cases
}

// EmbeddingGradient sums rows of length n, as of a long batch, into a table; a tenth of them has the same id.
func EmbeddingGradient(rows, table, n int) Case {
	return newCase(fmt.Sprintf("embedding_grad of %d rows of a table of %dx%d", rows, table, n), elementTolerance*100, func(d *draft) {
		ids := d.some(rows, 0, table-1)
		for i := range ids {
			if i%10 == 0 {
				ids[i] = 3
			}
		}
		d.Output("y", d.Apply("embedding_grad", ir.Attrs{"rows": float64(table)}, d.feeds(rows, n), d.ints(ids)))
	})
}

// ScatteredRows replaces rows of length n of a table; some are replaced twice.
func ScatteredRows(rows, table, n int) Case {
	return newCase(fmt.Sprintf("scatter_rows of %d rows of a table of %dx%d", rows, table, n), 0, func(d *draft) {
		d.Assign("table", op.ScatterRows(d.Builder, d.state("table", 1, table, n), d.feeds(rows, n), d.ints(d.some(rows, 0, table-1))))
	})
}

// topKCases have many equal elements, and pieces with fewer than are asked for.
func topKCases() []Case {
	var cases []Case
	for _, s := range []struct{ n, k int }{{1, 1}, {7, 7}, {300, 5}, {4096, 1}, {4097, 64}, {6149, 33}, {10241, 1}, {40000, 9}} {
		cases = append(cases, newCase(fmt.Sprintf("top_k: %d of %d", s.k, s.n), 0, func(d *draft) {
			x := d.values(3, 1, s.n)
			for i := range x.F32 {
				if x.F32[i] = float32(math.Round(float64(x.F32[i])*8) / 8); i%97 == 5 {
					x.F32[i] = -1e30
				}
			}
			d.c.Feeds["x"] = x
			values, places := op.TopK(d.Builder, d.Feed("x", x.Type), s.k)
			d.Output("values", values)
			d.Output("places", places)
		}))
	}
	return cases
}
