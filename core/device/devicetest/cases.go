package devicetest

import (
	"fmt"
	"math"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/rng"
	"hone/core/tensor"
)

// Tolerances of float32 kernels, for operands made by values: products are of the size of one whatever their length.
const (
	matMulTolerance = 1e-5
	chainTolerance  = 3e-5 // errors of one operator go through the next
)

// Cases lists the suite.
func Cases() []Case {
	var cases []Case
	for _, of := range []func() []Case{matMulCases, nf4Cases, plainCases, trainedCases, topKCases, lossCases, elementCases, reductionCases, normCases, ropeCases, rowCases, attentionCases, updateCases, ModelCases} {
		cases = append(cases, of()...)
	}
	return append(cases, Chain(), keptOutput(), oldState(), keptFeed())
}

// draft collects a case while its program is traced.
type draft struct {
	*ir.Builder
	c      *Case
	stream uint64
}

func newCase(name string, tolerance float64, f func(d *draft)) Case {
	c := Case{Name: name, Tolerance: tolerance, Feeds: map[string]tensor.Host{}, States: map[string]tensor.Host{}}
	g, err := ir.Trace(func(b *ir.Builder) { f(&draft{Builder: b, c: &c}) })
	if err != nil {
		panic(fmt.Sprintf("devicetest: case %s: %v", name, err))
	}
	c.Graph = g
	return c
}

// values are normal with the given standard deviation, other ones at every call.
func (d *draft) values(deviation float64, shape ...int) tensor.Host {
	d.stream++
	key := rng.NewKey(1, rng.Init, d.stream)
	v := make([]float32, tensor.Shape(shape).Elements())
	for i := range v {
		v[i] = float32(deviation * key.Normal(uint64(i)))
	}
	return tensor.Floats(v, shape...)
}

func (d *draft) feed(name string, deviation float64, shape ...int) ir.Value {
	d.c.Feeds[name] = d.values(deviation, shape...)
	return d.Feed(name, d.c.Feeds[name].Type)
}

// feeds is feed with values of size one, under names of its own.
func (d *draft) feeds(shape ...int) ir.Value {
	return d.feed(fmt.Sprint("feed", len(d.c.Feeds)), 1, shape...)
}

func (d *draft) ints(v []int32) ir.Value {
	name := fmt.Sprint("feed", len(d.c.Feeds))
	d.c.Feeds[name] = tensor.Ints(v, len(v))
	return d.Feed(name, d.c.Feeds[name].Type)
}

// temporary is x in memory that an operator may write over, if x is the last to read it.
func (d *draft) temporary(x ir.Value) ir.Value { return op.Scale(d.Builder, x, 1) }

// outputs reads back all results of a node.
func (d *draft) outputs(v ir.Value, results int) {
	d.Output("y", v)
	for i := 1; i < results; i++ {
		d.Output(fmt.Sprint("y", i), d.Part(v, i))
	}
}

func (d *draft) state(name string, deviation float64, shape ...int) ir.Value {
	d.c.States[name] = d.values(deviation, shape...)
	return d.State(name, d.c.States[name].Type)
}

// weight is a state by which a product with rows of length in keeps their size.
func (d *draft) weight(name string, in int, shape ...int) ir.Value {
	return d.state(name, 1/math.Sqrt(float64(in)), shape...)
}

func matMulCases() []Case {
	sizes := [][3]int{ // m, k, n
		{9, 7, 68}, {64, 64, 64}, // in all forms
		{65, 33, 31}, {66, 130, 70}, {1, 1, 1}, {1, 64, 1}, {1, 128, 72}, {3, 5, 7}, {4, 8, 12}, {5, 6, 4}, {8, 3, 8}, {2, 515, 129},
	}
	var cases []Case
	for _, o := range []op.Orientation{{}, {B: true}, {A: true}, {A: true, B: true}} {
		for i, s := range sizes {
			m, k, n := s[0], s[1], s[2]
			a, b := []int{m, k}, []int{k, n}
			if o.A {
				a = []int{k, m}
			}
			if o.B {
				b = []int{n, k}
			}
			add := func(form string, f func(d *draft, x, w ir.Value)) {
				name := fmt.Sprintf("matmul %dx%dx%d transposed %v %v%s", m, k, n, o.A, o.B, form)
				cases = append(cases, newCase(name, matMulTolerance, func(d *draft) {
					f(d, d.feed("x", 1, a...), d.weight("w", k, b...))
				}))
			}
			add("", func(d *draft, x, w ir.Value) {
				d.Output("y", op.MatMul(d.Builder, x, w, ir.None, o, 1))
			})
			if i >= 2 {
				continue
			}
			add(", scaled and added", func(d *draft, x, w ir.Value) {
				d.Output("y", op.MatMul(d.Builder, x, w, d.feed("c", 1, m, n), o, -0.75))
			})
			add(", added in its memory", func(d *draft, x, w ir.Value) {
				first := op.MatMul(d.Builder, x, w, ir.None, o, 2)
				d.Output("y", op.MatMul(d.Builder, x, w, first, o, 0.5))
			})
			add(", accumulated in a state", func(d *draft, x, w ir.Value) {
				d.Assign("sum", op.MatMul(d.Builder, x, w, d.state("sum", 1, m, n), o, 1))
			})
		}
	}
	return cases
}

// Square is a product of square matrices in the form of a linear layer, for timing.
func Square(n int) Case {
	return newCase(fmt.Sprintf("matmul %d", n), matMulTolerance, func(d *draft) {
		d.Output("y", op.Linear(d.Builder, d.feed("x", 1, n, n), d.weight("w", n, n, n)))
	})
}

// Chain is normalisation, product, normalisation, product with a residual, normalisation: the inside of a transformer
// block in small, with odd lengths, a constant, and temporaries that share slots.
func Chain() Case {
	return newCase("chain", chainTolerance, func(d *draft) {
		const rows, n, hidden = 37, 52, 91
		b := d.Builder
		x := d.feed("x", 1, rows, n)
		ones := make([]float32, n)
		for i := range ones {
			ones[i] = 1 + float32(i)/n
		}
		h := op.RMSNorm(b, x, b.Constant(ones, n), 1e-5)
		h = op.Linear(b, h, d.weight("up", n, hidden, n))
		up := h
		h = op.RMSNorm(b, h, d.state("inner", 1, hidden), 1e-5)
		h = op.MatMul(b, h, d.weight("square", hidden, hidden, hidden), up, op.Orientation{}, 1)
		h = op.RMSNorm(b, h, d.state("outer", 1, hidden), 1e-5)
		d.Output("y", op.MatMul(b, h, d.weight("down", hidden, n, hidden), x, op.Orientation{B: true}, 0.5))
	})
}

// keptOutput reads back a value that dies with an operator which could write over it.
func keptOutput() Case {
	return newCase("an output that the next node could overwrite", matMulTolerance, func(d *draft) {
		x, w := d.feed("x", 1, 9, 12), d.weight("w", 12, 12, 12)
		h := op.Linear(d.Builder, x, w)
		d.Output("h", h)
		d.Output("y", op.MatMul(d.Builder, x, w, h, op.Orientation{}, 1))
	})
}

// oldState reads back a state that the program assigns: outputs see it as it was before.
func oldState() Case {
	return newCase("an output that is a state before its assignment", matMulTolerance, func(d *draft) {
		x, w := d.feed("x", 1, 9, 12), d.weight("w", 12, 12, 12)
		sum := d.state("sum", 1, 9, 12)
		d.Output("before", sum)
		d.Assign("sum", op.MatMul(d.Builder, x, w, sum, op.Orientation{}, 1))
	})
}

// keptFeed makes a feed the new value of a state, and reads it back.
func keptFeed() Case {
	return newCase("a feed that becomes a state", matMulTolerance, func(d *draft) {
		x, w := d.feed("x", 1, 12, 12), d.state("w", 1, 12, 12)
		d.Output("y", op.Linear(d.Builder, x, w))
		d.Output("x", x)
		d.Assign("w", x)
	})
}
