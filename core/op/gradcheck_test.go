package op_test

import (
	"fmt"
	"maps"
	"math"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/quant"
	"hone/core/rng"
	"hone/core/tensor"
)

// A program is one small use of an operator. Its build takes operands from the source and tells what each result should
// be, computed by the plainest code that there is.
type program struct {
	name  string
	build func(s *source)
}

// suite is all programs of one operator.
type suite struct {
	operator string
	programs []program
}

// suites are all programs of this folder's tests; properties_test.go runs over them, and sees that no operator is missing.
var suites []suite

func register(operator string, programs ...program) suite {
	s := suite{operator, programs}
	suites = append(suites, s)
	return s
}

// source makes operands while a program is traced. The values are the same at every trace, and exact in float32.
type source struct {
	*ir.Builder
	draws         int
	feeds, states map[string]ir.Tensor[float64]
	names         map[ir.Value]string
	params        []ir.Value
	wanted        []wanted
}

type wanted struct {
	value ir.Value
	data  []float64
}

// normals are n values of stream number stream, exact in float32.
func normals(stream, n int) []float64 {
	key := rng.NewKey(1, rng.Init, uint64(stream))
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(float32(key.Normal(uint64(i))))
	}
	return v
}

func (s *source) add(to map[string]ir.Tensor[float64], make func(string, tensor.Type) ir.Value, t ir.Tensor[float64]) ir.Value {
	name := fmt.Sprintf("x%d", s.draws)
	s.draws++
	v := make(name, t.Type)
	to[name], s.names[v] = t, name
	return v
}

// param is a random operand whose gradient is checked.
func (s *source) param(shape ...int) ir.Value {
	t := tensor.Of(tensor.F32, shape...)
	v := s.add(s.states, s.State, ir.Tensor[float64]{Type: t, F: normals(s.draws, t.Elements())})
	s.params = append(s.params, v)
	return v
}

// floats is an operand of the given values, which nothing differentiates.
func (s *source) floats(v []float64, shape ...int) ir.Value {
	return s.add(s.feeds, s.Feed, ir.Tensor[float64]{Type: tensor.Of(tensor.F32, shape...), F: v})
}

// random is a random operand without a gradient.
func (s *source) random(shape ...int) ir.Value {
	return s.floats(normals(s.draws, tensor.Shape(shape).Elements()), shape...)
}

// ints is an I32 vector.
func (s *source) ints(v ...int32) ir.Value {
	return s.add(s.feeds, s.Feed, ir.Tensor[float64]{Type: tensor.Of(tensor.I32, len(v)), I: v})
}

// nf4 is a random frozen weight, quantised.
func (s *source) nf4(shape ...int) ir.Value {
	t := tensor.Of(tensor.NF4, shape...)
	w := make([]float32, t.Elements())
	for i, x := range normals(s.draws, len(w)) {
		w[i] = float32(x)
	}
	return s.add(s.states, s.Frozen, ir.Tensor[float64]{Type: t, NF4: quant.QuantizeNF4(w, t.Shape)})
}

// half is a random frozen weight in F16 or BF16.
func (s *source) half(d tensor.DType, shape ...int) ir.Value {
	t := ir.Tensor[float64]{Type: tensor.Of(d, shape...)}
	for _, x := range normals(s.draws, t.Type.Elements()) {
		if d == tensor.F16 {
			t.Half = append(t.Half, tensor.F32ToF16(float32(x)))
		} else {
			t.Half = append(t.Half, tensor.F32ToBF16(float32(x)))
		}
	}
	return s.add(s.states, s.Frozen, t)
}

// of gives an operand's values; those of a quantised or narrow one as they are computed with.
func (s *source) of(v ir.Value) []float64 {
	t, ok := s.feeds[s.names[v]]
	if !ok {
		t = s.states[s.names[v]]
	}
	f := make([]float64, t.Type.Elements())
	t.Floats(f, 0)
	return f
}

// want says what a result of the program should be.
func (s *source) want(v ir.Value, data []float64) { s.wanted = append(s.wanted, wanted{v, data}) }

// trace builds the program. Outputs are its results want0, …; where it has params also loss, a sum of all elements of
// the results, each with a random weight of its own; and with gradients grad0, ….
func (p program) trace(t *testing.T, gradients bool) (*ir.Graph, *source) {
	t.Helper()
	s := &source{feeds: map[string]ir.Tensor[float64]{}, states: map[string]ir.Tensor[float64]{}, names: map[ir.Value]string{}}
	g, err := ir.Trace(func(b *ir.Builder) {
		s.Builder = b
		p.build(s)
		loss := ir.None
		for i, w := range s.wanted {
			b.Output(fmt.Sprintf("want%d", i), w.value)
			if len(s.params) > 0 {
				if part := s.weigh(w.value); loss == ir.None {
					loss = part
				} else {
					loss = op.Add(b, loss, part)
				}
			}
		}
		if loss == ir.None {
			return
		}
		b.Output("loss", loss)
		if gradients {
			for i, d := range b.Grad(loss, s.params) {
				if d == ir.None {
					b.Fail("no gradient reaches operand %d", i)
				}
				b.Output(fmt.Sprintf("grad%d", i), d)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, s
}

// weigh is uᵀ·y·w with random u and w.
func (s *source) weigh(y ir.Value) ir.Value {
	if len(s.Type(y).Shape) == 1 {
		n := s.Dim(y, 0)
		y = op.AddBias(s.Builder, s.floats(make([]float64, n), 1, n), y)
	}
	u, w := s.random(1, s.Dim(y, 0)), s.random(s.Dim(y, 1), 1)
	none := op.Orientation{}
	return op.MatMul(s.Builder, op.MatMul(s.Builder, u, y, ir.None, none, 1), w, ir.None, none, 1)
}

// convert brings operands into the precision of a run.
func convert[T ir.Float](in map[string]ir.Tensor[float64]) map[string]ir.Tensor[T] {
	out := map[string]ir.Tensor[T]{}
	for name, t := range in {
		c := ir.Tensor[T]{Type: t.Type, I: t.I, Half: t.Half, NF4: t.NF4}
		for _, x := range t.F {
			c.F = append(c.F, T(x))
		}
		out[name] = c
	}
	return out
}

func interpret[T ir.Float](t *testing.T, g *ir.Graph, feeds, states map[string]ir.Tensor[T]) map[string]ir.Tensor[T] {
	t.Helper()
	out, _, err := ir.Interpret(g, feeds, states)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// check runs every program at both precisions against what it wants, and compares its gradients with differences.
func (s suite) check(t *testing.T) {
	for _, p := range s.programs {
		t.Run(p.name, func(t *testing.T) {
			g, src := p.trace(t, true)
			if len(src.wanted) == 0 {
				t.Fatal("the program wants nothing")
			}
			for i, w := range src.wanted {
				name := fmt.Sprintf("want%d", i)
				compare(t, name, interpret(t, g, src.feeds, src.states)[name].F, w.data, 1e-11)
				compare(t, name+" at float32", interpret(t, g, convert[float32](src.feeds), convert[float32](src.states))[name].F, w.data, 1e-5)
			}
			if len(src.params) > 0 {
				p.checkGradients(t)
			}
		})
	}
}

// checkGradients compares every element of every gradient with a central difference, in float64.
func (p program) checkGradients(t *testing.T) {
	g, s := p.trace(t, true)
	grads := interpret(t, g, s.feeds, s.states)
	forward, _ := p.trace(t, false)
	states := maps.Clone(s.states)
	for i, param := range s.params {
		name := s.names[param]
		x := append([]float64(nil), s.states[name].F...)
		states[name] = ir.Tensor[float64]{Type: s.states[name].Type, F: x}
		want := make([]float64, len(x))
		for j, at := range x {
			const h = 1e-5
			x[j] = at + h
			above := interpret(t, forward, s.feeds, states)["loss"].F[0]
			x[j] = at - h
			below := interpret(t, forward, s.feeds, states)["loss"].F[0]
			x[j] = at
			want[j] = (above - below) / (2 * h)
		}
		compare(t, fmt.Sprintf("gradient of operand %d (%s)", i, name), grads[fmt.Sprintf("grad%d", i)].F, want, 1e-6)
	}
}

// compare allows a difference relative to the value, or to 1 % of the largest.
func compare[T ir.Float](t *testing.T, what string, got []T, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	var largest float64
	for _, w := range want {
		largest = max(largest, math.Abs(w))
	}
	for i, w := range want {
		// Written so that a NaN fails.
		if d := math.Abs(float64(got[i]) - w); !(d <= tolerance*max(math.Abs(w), largest/100)) {
			t.Errorf("%s: element %d is %v, want %v", what, i, got[i], w)
			return
		}
	}
}
