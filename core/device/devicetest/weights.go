package devicetest

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"hone/core/device"
	"hone/core/ir"
	"hone/core/op"
	"hone/core/quant"
	"hone/core/tensor"
)

// Logits of size three: their errors go through exp.
const lossTolerance = 3e-5

// quantised is a frozen state in NF4 by which a product with rows of length in keeps their size.
func (d *draft) quantised(name string, in int, shape ...int) ir.Value {
	v := d.values(1/math.Sqrt(float64(in)), shape...)
	var b bytes.Buffer
	quant.QuantizeNF4(v.F32, shape).WriteTo(&b) // a bytes.Buffer never fails
	t := tensor.Of(tensor.NF4, shape...)
	d.c.States[name] = tensor.Host{Type: t, Bytes: b.Bytes()}
	return d.Frozen(name, t)
}

// nf4Cases are the two products that a frozen weight in NF4 takes part in: of a layer, and of its gradient.
func nf4Cases() []Case {
	var cases []Case
	for _, s := range [][3]int{{9, 64, 32}, {70, 160, 72}, {3, 128, 64}, {1, 1, 1}, {5, 7, 53}, {2, 20, 12}, {40, 36, 300}, {65, 896, 64}, {3, 136, 200}} {
		for _, transposed := range []bool{true, false} {
			m, k, n := s[0], s[1], s[2]
			w := []int{k, n}
			if transposed {
				w = []int{n, k}
			}
			cases = append(cases, newCase(fmt.Sprintf("matmul %dx%dx%d with NF4, transposed %v", m, k, n, transposed), matMulTolerance, func(d *draft) {
				d.Output("y", op.MatMul(d.Builder, d.feed("x", 1, m, k), d.quantised("w", k, w...), d.feed("c", 1, m, n), op.Orientation{B: transposed}, 1.5))
			}))
		}
	}
	return cases
}

// lossCases are fused losses with and without a gradient of the weight, rows without a target, and vocabularies that are
// taken in several pieces.
func lossCases() []Case {
	var cases []Case
	for _, s := range []struct{ rows, n, vocab int }{{1, 1, 1}, {3, 5, 7}, {9, 64, 512}, {17, 12, 131}, {70, 8, 20000}, {2, 3, 5}} {
		target := func(d *draft) ir.Value {
			t := d.some(s.rows, 0, s.vocab-1)
			for i := range t {
				if i%5 == 2 {
					t[i] = op.NoTarget
				}
			}
			t[0] = int32(s.vocab - 1)
			return d.ints(t)
		}
		cases = append(cases, newCase(fmt.Sprintf("linear_cross_entropy %dx%d of %d", s.rows, s.n, s.vocab), lossTolerance, func(d *draft) {
			d.Output("nll", op.LinearCrossEntropy(d.Builder, d.feed("h", 3, s.rows, s.n), d.weight("w", s.n, s.vocab, s.n), target(d)))
		}))
		for _, trained := range []bool{false, true} {
			cases = append(cases, newCase(fmt.Sprintf("linear_cross_entropy_grad %dx%d of %d, weight %v", s.rows, s.n, s.vocab, trained), lossTolerance, func(d *draft) {
				h := d.state("h", 3, s.rows, s.n)
				w := d.weight("w", s.n, s.vocab, s.n)
				loss := op.Sum(d.Builder, op.LinearCrossEntropy(d.Builder, h, w, target(d)))
				wrt := []ir.Value{h}
				if trained {
					wrt = append(wrt, w)
				}
				for i, g := range d.Grad(loss, wrt) {
					d.Output(fmt.Sprintf("d%d", i), g)
				}
			}))
		}
	}
	return cases
}

// Norms is a program of n kernels, one behind the other.
func Norms(n int) Case {
	return newCase(fmt.Sprintf("%d norms", n), chainTolerance, func(d *draft) {
		h, w := d.feed("x", 1, 4, 8), d.state("w", 1, 8)
		for range n {
			h = op.RMSNorm(d.Builder, h, w, 1e-5)
		}
		d.Output("y", h)
	})
}

// Upload brings the states of a case to a device.
func Upload(ctx context.Context, d device.Device, c Case) (states map[string]device.Buffer, free func(), err error) {
	states, err = upload(ctx, d, c.States)
	return states, func() { release(states) }, err
}

// Product is op(x) [m, k] · op(w) [k, n], added to a state.
func Product(m, k, n int, o op.Orientation) Case {
	return newCase(fmt.Sprintf("matmul %dx%dx%d transposed %v %v", m, k, n, o.A, o.B), matMulTolerance, func(d *draft) {
		x, w := []int{m, k}, []int{k, n}
		if o.A {
			x = []int{k, m}
		}
		if o.B {
			w = []int{n, k}
		}
		d.Assign("y", op.MatMul(d.Builder, d.state("x", 1, x...), d.weight("w", k, w...), d.state("y", 1, m, n), o, 1))
	})
}
