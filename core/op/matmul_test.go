package op_test

import (
	"fmt"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// plainMatMul is alpha · op(x) · op(w) + c for x of [m, k] or, transposed, [k, m].
func plainMatMul(x, w, c []float64, m, k, n int, o op.Orientation, alpha float64) []float64 {
	out := make([]float64, m*n)
	for i := range m {
		for j := range n {
			for l := range k {
				xAt, wAt := i*k+l, l*n+j
				if o.A {
					xAt = l*m + i
				}
				if o.B {
					wAt = j*k + l
				}
				out[i*n+j] += alpha * x[xAt] * w[wAt]
			}
			if c != nil {
				out[i*n+j] += c[i*n+j]
			}
		}
	}
	return out
}

// shapes are those of x and w.
func shapes(m, k, n int, o op.Orientation) (x, w []int) {
	x, w = []int{m, k}, []int{k, n}
	if o.A {
		x = []int{k, m}
	}
	if o.B {
		w = []int{n, k}
	}
	return x, w
}

func matmulProgram(m, k, n int, o op.Orientation, alpha float64, third bool) program {
	return program{fmt.Sprintf("%dx%dx%d %+v alpha %v third %v", m, k, n, o, alpha, third), func(s *source) {
		xs, ws := shapes(m, k, n, o)
		x, w, c := s.param(xs...), s.param(ws...), ir.None
		var values []float64
		if third {
			c = s.param(m, n)
			values = s.of(c)
		}
		s.want(op.MatMul(s.Builder, x, w, c, o, alpha), plainMatMul(s.of(x), s.of(w), values, m, k, n, o, alpha))
	}}
}

// halfProgram multiplies by a frozen weight in 16 bits.
func halfProgram(d tensor.DType, m, k, n int, o op.Orientation) program {
	return program{fmt.Sprintf("%v %dx%dx%d %+v", d, m, k, n, o), func(s *source) {
		_, ws := shapes(m, k, n, o)
		x, w, c := s.param(m, k), s.half(d, ws...), s.param(m, n)
		s.want(op.MatMul(s.Builder, x, w, c, o, 0.5), plainMatMul(s.of(x), s.of(w), s.of(c), m, k, n, o, 0.5))
	}}
}

// nf4Program multiplies by a quantised weight; 9·15 elements fill two blocks of 64 and a part of a third.
func nf4Program(name string, m, k, n int, o op.Orientation, third bool) program {
	return program{name, func(s *source) {
		_, ws := shapes(m, k, n, o)
		x, w, c := s.param(m, k), s.nf4(ws...), ir.None
		var values []float64
		if third {
			c = s.param(m, n)
			values = s.of(c)
		}
		s.want(op.MatMul(s.Builder, x, w, c, o, 0.5), plainMatMul(s.of(x), s.of(w), values, m, k, n, o, 0.5))
	}}
}

func matmulPrograms() (all []program) {
	for _, o := range []op.Orientation{{}, {A: true}, {B: true}, {A: true, B: true}} {
		all = append(all,
			matmulProgram(3, 5, 2, o, 1, false),
			matmulProgram(3, 5, 2, o, -0.75, true),
			matmulProgram(1, 7, 3, o, 2, true),
			matmulProgram(5, 1, 1, o, 1, false),
			matmulProgram(1, 1, 1, o, 3, true))
	}
	return append(all,
		halfProgram(tensor.F16, 3, 9, 15, op.Orientation{}),
		halfProgram(tensor.F16, 1, 5, 7, op.Orientation{B: true}),
		halfProgram(tensor.BF16, 3, 5, 1, op.Orientation{}),
		halfProgram(tensor.BF16, 3, 9, 15, op.Orientation{B: true}),
		nf4Program("NF4", 3, 9, 15, op.Orientation{}, false),
		nf4Program("NF4 transposed", 3, 9, 15, op.Orientation{B: true}, true),
		nf4Program("NF4 of one block", 1, 5, 7, op.Orientation{B: true}, false),
		program{"a square of one operand", func(s *source) {
			x := s.param(3, 3)
			s.want(op.MatMul(s.Builder, x, x, x, op.Orientation{B: true}, 1), plainMatMul(s.of(x), s.of(x), s.of(x), 3, 3, 3, op.Orientation{B: true}, 1))
		}},
		program{"only the third operand is trained", func(s *source) {
			x, w, c := s.random(2, 3), s.random(3, 5), s.param(2, 5)
			s.want(op.MatMul(s.Builder, x, w, c, op.Orientation{}, 2), plainMatMul(s.of(x), s.of(w), s.of(c), 2, 3, 5, op.Orientation{}, 2))
		}},
		program{"linear", func(s *source) {
			x, w := s.random(2, 3), s.param(5, 3)
			s.want(op.Linear(s.Builder, x, w), plainMatMul(s.of(x), s.of(w), nil, 2, 3, 5, op.Orientation{B: true}, 1))
		}},
	)
}

var matmulSuite = register("matmul", matmulPrograms()...)

func TestMatMul(t *testing.T) { matmulSuite.check(t) }
