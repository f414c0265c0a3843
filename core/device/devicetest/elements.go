package devicetest

import (
	"fmt"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/rng"
	"hone/core/tensor"
)

// Element-wise operators round a few times; exponentials add a few units in the last place.
const (
	elementTolerance = 5e-7
	expTolerance     = 3e-6
)

// shapes are what element-wise and row-wise operators run on: one element, rows of odd length, rows of fours, more
// elements than a workgroup has invocations, one long row.
var shapes = [][2]int{{1, 1}, {3, 5}, {7, 12}, {65, 130}, {33, 64}, {2, 4099}}

// elementOp is an operator over tensors of one shape.
type elementOp struct {
	name      string
	tolerance float64
	operands  int
	results   int
	apply     func(d *draft, in []ir.Value, rows, n int) ir.Value
}

func plain(name string, tolerance float64, operands, results int, attrs ir.Attrs) elementOp {
	return elementOp{name, tolerance, operands, results, func(d *draft, in []ir.Value, _, _ int) ir.Value {
		return d.Apply(name, attrs, in...)
	}}
}

var elementOps = []elementOp{
	plain("add", elementTolerance, 2, 1, nil),
	plain("scale", elementTolerance, 1, 1, ir.Attrs{"factor": -0.3}),
	plain("zeros_like", 0, 1, 1, nil),
	plain("swiglu", expTolerance, 2, 1, nil),
	plain("swiglu_grad", expTolerance, 3, 2, nil),
	{"add_bias", elementTolerance, 1, 1, func(d *draft, in []ir.Value, _, n int) ir.Value {
		return d.Apply("add_bias", nil, in[0], d.feeds(n))
	}},
	{"sum_grad", 0, 1, 1, func(d *draft, in []ir.Value, _, _ int) ir.Value {
		return d.Apply("sum_grad", nil, in[0], d.feeds(1))
	}},
	{"dropout", elementTolerance, 1, 1, func(d *draft, in []ir.Value, rows, n int) ir.Value {
		key := rng.NewKey(uint64(rows)<<40+3, rng.Dropout, uint64(n)<<33+1)
		return op.Dropout(d.Builder, in[0], d.ints(op.DropoutKey(key)), 0.3, 5)
	}},
	{"uniform_noise", elementTolerance, 1, 1, func(d *draft, in []ir.Value, rows, n int) ir.Value {
		key := rng.NewKey(uint64(rows)<<40+5, rng.NEFTune, uint64(n)<<33+1)
		return op.UniformNoise(d.Builder, in[0], d.ints(op.DropoutKey(key)), 0.3)
	}},
}

// elementCases run every element-wise operator on operands that stay, and over operands that die with it.
func elementCases() []Case {
	var cases []Case
	for _, o := range elementOps {
		for i, s := range shapes {
			for _, over := range []bool{false, true} {
				if over && i > 2 {
					continue
				}
				name := fmt.Sprintf("%s %dx%d", o.name, s[0], s[1])
				if over {
					name += " over its operands"
				}
				cases = append(cases, newCase(name, o.tolerance, func(d *draft) {
					in := make([]ir.Value, o.operands)
					for i := range in {
						if in[i] = d.feeds(s[0], s[1]); over {
							in[i] = d.temporary(in[i])
						}
					}
					d.outputs(o.apply(d, in, s[0], s[1]), o.results)
				}))
			}
		}
	}
	cases = append(cases, newCase("add of a value to itself", elementTolerance, func(d *draft) {
		x := d.temporary(d.feeds(9, 8))
		d.Output("y", op.Add(d.Builder, x, x))
	}))
	cases = append(cases, newCase("swiglu far from zero", expTolerance, func(d *draft) {
		gate := d.feed("gate", 60, 9, 8)
		d.outputs(d.Apply("swiglu_grad", nil, gate, d.feeds(9, 8), d.feeds(9, 8)), 2)
		d.Output("forward", op.SwiGLU(d.Builder, gate, d.feeds(9, 8)))
	}))
	for _, p := range []float64{0, 0.5, 0.999} {
		cases = append(cases, newCase(fmt.Sprintf("dropout of %g, with a high stream", p), elementTolerance, func(d *draft) {
			key := d.ints(op.DropoutKey(rng.NewKey(1<<63+12345, rng.Dropout, 1<<40+7)))
			d.Output("y", op.Dropout(d.Builder, d.feeds(31, 33), key, p, 1<<20+3))
		}))
	}
	return cases
}

// updateCases are what an optimiser step is made of, on states of their own.
func updateCases() []Case {
	var cases []Case
	adamw := op.AdamWSettings{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.1}
	rates := op.AdamWRates(0.01, 3, adamw)
	for _, s := range shapes {
		cases = append(cases, newCase(fmt.Sprintf("adamw %dx%d", s[0], s[1]), elementTolerance*4, func(d *draft) {
			p, m := d.state("p", 1, s[0], s[1]), d.state("m", 0.1, s[0], s[1])
			v := d.state("v", 0.1, s[0], s[1])
			square(d.c.States["v"])
			newP, newM, newV := op.AdamW(d.Builder, p, d.feeds(s[0], s[1]), m, v, d.constant(0.25), d.constant(rates...), adamw)
			d.Assign("p", newP)
			d.Assign("m", newM)
			d.Assign("v", newV)
		}))
		cases = append(cases, newCase(fmt.Sprintf("sgd %dx%d", s[0], s[1]), elementTolerance, func(d *draft) {
			p := d.state("p", 1, s[0], s[1])
			d.Assign("p", op.SGD(d.Builder, p, d.feeds(s[0], s[1]), d.constant(0.25), d.constant(rates...), 0.1))
		}))
	}
	cases = append(cases, newCase("adamw whose operands stay", elementTolerance*4, func(d *draft) {
		v := d.feed("v", 0.1, 5, 6)
		square(d.c.Feeds["v"])
		d.outputs(d.Apply("adamw", ir.Attrs{"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-6}, d.feeds(5, 6), d.feeds(5, 6), d.feeds(5, 6), v, d.constant(1), d.constant(rates...)), 3)
	}))
	cases = append(cases, newCase("sgd whose operands stay", elementTolerance, func(d *draft) {
		d.Output("y", op.SGD(d.Builder, d.feeds(5, 6), d.feeds(5, 6), d.constant(1), d.constant(rates...), 0.1))
	}))
	for _, limit := range []float64{0, 0.5, 1e6} {
		cases = append(cases, newCase(fmt.Sprintf("clip_grad_norm at %g", limit), elementTolerance, func(d *draft) {
			f, norm := op.ClipGradNorm(d.Builder, d.constant(1234.5), d.constant(17), limit)
			d.Output("factor", f)
			d.Output("norm", norm)
		}))
	}
	return cases
}

// constant is a feed of the given numbers.
func (d *draft) constant(v ...float32) ir.Value {
	name := fmt.Sprint("feed", len(d.c.Feeds))
	d.c.Feeds[name] = tensor.Floats(v, len(v))
	return d.Feed(name, d.c.Feeds[name].Type)
}

func square(h tensor.Host) {
	for i, x := range h.F32 {
		h.F32[i] = x * x
	}
}
