//go:build !js

package cpu

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"testing"

	"hone/core/device"
	"hone/core/device/devicetest"
	"hone/core/ir"
	"hone/core/op"
	"hone/core/quant"
	"hone/core/rng"
	"hone/core/tensor"
)

// maker builds a case: a program, and values for what it is fed.
type maker struct {
	*ir.Builder
	feeds map[string]tensor.Host
}

func (m *maker) feed(h tensor.Host) ir.Value {
	name := fmt.Sprint("feed", len(m.feeds))
	m.feeds[name] = h
	return m.Feed(name, h.Type)
}

func normal(stream uint64, deviation float64, shape ...int) tensor.Host {
	key := rng.NewKey(3, rng.Init, stream)
	v := make([]float32, tensor.Shape(shape).Elements())
	for i := range v {
		v[i] = float32(deviation * key.Normal(uint64(i)))
	}
	return tensor.Floats(v, shape...)
}

func (m *maker) normal(shape ...int) ir.Value {
	return m.feed(normal(uint64(len(m.feeds)), 1, shape...))
}

func (m *maker) ints(f func(i int) int32, n int) ir.Value {
	v := make([]int32, n)
	for i := range v {
		v[i] = f(i)
	}
	return m.feed(tensor.Ints(v, n))
}

// Every fast operator gives what its reference kernel gives, with any number of threads the same bits.
func TestFastOperators(t *testing.T) {
	type attrs = ir.Attrs
	for _, c := range []struct {
		name      string
		tolerance float64
		trace     func(m *maker, rows, n int) ir.Value
	}{
		{"add", 1e-7, func(m *maker, r, n int) ir.Value { return m.Apply("add", nil, m.normal(r, n), m.normal(r, n)) }},
		{"add in place", 1e-6, func(m *maker, r, n int) ir.Value {
			return m.Apply("add", nil, m.Apply("scale", attrs{"factor": 3}, m.normal(r, n)), m.normal(r, n))
		}},
		{"scale", 1e-6, func(m *maker, r, n int) ir.Value { return m.Apply("scale", attrs{"factor": -0.3}, m.normal(r, n)) }},
		{"zeros_like", 0, func(m *maker, r, n int) ir.Value { return m.Apply("zeros_like", nil, m.normal(r, n)) }},
		{"add_bias", 1e-6, func(m *maker, r, n int) ir.Value { return m.Apply("add_bias", nil, m.normal(r, n), m.normal(n)) }},
		{"add_bias_grad", 1e-4, func(m *maker, r, n int) ir.Value { return m.Apply("add_bias_grad", nil, m.normal(r, n)) }},
		{"dropout", 1e-6, func(m *maker, r, n int) ir.Value {
			return m.Apply("dropout", attrs{"p": 0.3, "stream": 5}, m.normal(r, n), m.feed(tensor.Ints(op.DropoutKey(rng.NewKey(1, rng.Dropout, 1<<33)), 4)))
		}},
		{"swiglu", 1e-5, func(m *maker, r, n int) ir.Value { return m.Apply("swiglu", nil, m.normal(r, n), m.normal(r, n)) }},
		{"swiglu_grad", 1e-5, func(m *maker, r, n int) ir.Value {
			v := m.Apply("swiglu_grad", nil, m.normal(r, n), m.normal(r, n), m.normal(r, n))
			m.Output("part", m.Part(v, 1))
			return v
		}},
		{"rmsnorm", 1e-5, func(m *maker, r, n int) ir.Value {
			return m.Apply("rmsnorm", attrs{"eps": 1e-5}, m.normal(r, n), m.normal(n))
		}},
		{"rmsnorm_grad_x", 1e-4, func(m *maker, r, n int) ir.Value {
			return m.Apply("rmsnorm_grad_x", attrs{"eps": 1e-5}, m.normal(r, n), m.normal(n), m.normal(r, n))
		}},
		{"rmsnorm_grad_weight", 2e-4, func(m *maker, r, n int) ir.Value {
			return m.Apply("rmsnorm_grad_weight", attrs{"eps": 1e-5}, m.normal(r, n), m.normal(r, n))
		}},
		{"rmsnorm in groups", 1e-5, func(m *maker, r, n int) ir.Value {
			return m.Apply("rmsnorm", attrs{"eps": 1e-5, "unit_offset": 1}, m.normal(r, 3*n), m.normal(n))
		}},
		{"rmsnorm_grad_x in groups", 1e-4, func(m *maker, r, n int) ir.Value {
			return m.Apply("rmsnorm_grad_x", attrs{"eps": 1e-2, "unit_offset": 1}, m.normal(r, 3*n), m.normal(n), m.normal(r, 3*n))
		}},
		{"rmsnorm_grad_weight in groups", 2e-4, func(m *maker, r, n int) ir.Value {
			return m.Apply("rmsnorm_grad_weight", attrs{"eps": 1e-5, "width": float64(n)}, m.normal(r, 3*n), m.normal(r, 3*n))
		}},
		{"layernorm", 1e-5, func(m *maker, r, n int) ir.Value {
			return m.Apply("layernorm", attrs{"eps": 1e-5}, m.normal(r, n), m.normal(n), m.normal(n))
		}},
		{"layernorm_grad_x", 1e-4, func(m *maker, r, n int) ir.Value {
			return m.Apply("layernorm_grad_x", attrs{"eps": 1e-5}, m.normal(r, n), m.normal(n), m.normal(r, n))
		}},
		{"layernorm_grad_weight", 2e-4, func(m *maker, r, n int) ir.Value {
			return m.Apply("layernorm_grad_weight", attrs{"eps": 1e-5}, m.normal(r, n), m.normal(r, n))
		}},
		{"gelu by tanh", 1e-5, func(m *maker, r, n int) ir.Value { return m.Apply("gelu", attrs{"tanh": 1}, m.normal(r, n)) }},
		{"gelu by erf", 1e-5, func(m *maker, r, n int) ir.Value { return m.Apply("gelu", nil, m.normal(r, n)) }},
		{"gelu_grad by tanh", 1e-5, func(m *maker, r, n int) ir.Value {
			return m.Apply("gelu_grad", attrs{"tanh": 1}, m.normal(r, n), m.normal(r, n))
		}},
		{"gelu_grad by erf", 1e-5, func(m *maker, r, n int) ir.Value { return m.Apply("gelu_grad", nil, m.normal(r, n), m.normal(r, n)) }},
		{"geglu", 1e-5, func(m *maker, r, n int) ir.Value { return m.Apply("geglu", nil, m.normal(r, n), m.normal(r, n)) }},
		{"geglu_grad", 1e-5, func(m *maker, r, n int) ir.Value {
			v := m.Apply("geglu_grad", nil, m.normal(r, n), m.normal(r, n), m.normal(r, n))
			m.Output("part", m.Part(v, 1))
			return v
		}},
		{"slice_columns", 0, func(m *maker, r, n int) ir.Value {
			return m.Apply("slice_columns", attrs{"from": float64(n / 3), "to": float64(n)}, m.normal(r, n))
		}},
		{"slice_columns_grad", 0, func(m *maker, r, n int) ir.Value {
			return m.Apply("slice_columns_grad", attrs{"from": float64(n / 2), "width": float64(2 * n)}, m.normal(r, n))
		}},
		{"sum_squares", 1e-6, func(m *maker, r, n int) ir.Value { return m.Apply("sum_squares", nil, m.normal(r, n), m.normal(1)) }},
		{"embedding_grad", 1e-5, func(m *maker, r, n int) ir.Value {
			return m.Apply("embedding_grad", attrs{"rows": 7}, m.normal(r, n), m.ints(func(i int) int32 { return int32(i*i%9) - 2 }, r))
		}},
		{"rope", 2e-4, func(m *maker, r, n int) ir.Value { // at float64 the angle itself differs by its 2^-24th
			half := max(1, n/6)
			inv := make([]float32, half)
			for i := range inv {
				inv[i] = float32(math.Pow(10000, -float64(i)/float64(half)))
			}
			x, at, f := m.normal(r, 6*half), m.ints(func(i int) int32 { return int32(i * 3) }, r), m.feed(tensor.Floats(inv, half))
			m.Output("back", m.Apply("rope", attrs{"sign": -1}, x, at, f))
			m.Output("neighbours", m.Apply("rope", attrs{"sign": 1, "interleaved": 1}, x, at, f))
			m.Output("part of a head", m.Apply("rope", attrs{"sign": 1, "head_dim": float64(3 * half)}, x, at, f))
			m.Output("neighbours of part of a head", m.Apply("rope", attrs{"sign": -1, "head_dim": float64(3 * half), "interleaved": 1}, x, at, f))
			return m.Apply("rope", attrs{"sign": 1}, x, at, f)
		}},
	} {
		for _, size := range [][2]int{{1, 1}, {3, 7}, {65, 48}, {130, 77}, {300, 512}} {
			t.Run(fmt.Sprint(c.name, size), func(t *testing.T) {
				m := &maker{feeds: map[string]tensor.Host{}}
				g, err := ir.Trace(func(b *ir.Builder) {
					m.Builder = b
					b.Output("y", c.trace(m, size[0], size[1]))
				})
				if err != nil {
					t.Fatal(err)
				}
				agree(t, devicetest.Case{Name: c.name, Graph: g, Feeds: m.feeds, Tolerance: c.tolerance})
			})
		}
	}
}

// agree checks a case with one, two and three threads.
func agree(t *testing.T, c devicetest.Case) {
	t.Helper()
	var first devicetest.Results
	for threads := 1; threads <= 3; threads++ {
		d := New(threads)
		defer d.Close()
		if err := devicetest.Check(t.Context(), d, c); err != nil {
			t.Fatalf("%d threads: %v", threads, err)
		}
		got, err := devicetest.Run(t.Context(), d, c)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		if err := devicetest.Identical(first, got); err != nil {
			t.Fatalf("1 and %d threads: %v", threads, err)
		}
	}
}

// The sine of a large angle is that of the float32 product of position and frequency, to the last bit or so.
func TestRoPEFarOut(t *testing.T) {
	d := New(2)
	defer d.Close()
	inv := []float32{1, 0.7498942, 0.01}
	positions := []int32{0, 1, 99999, 131071}
	for range 2 { // computed, then remembered
		sin, cos := d.angles(positions, inv)
		for r, p := range positions {
			for i, f := range inv {
				s, c := math.Sincos(float64(float32(p) * f))
				if sin[r*len(inv)+i] != float32(s) || cos[r*len(inv)+i] != float32(c) {
					t.Errorf("position %d, frequency %g: %g and %g, want %g and %g", p, f, sin[r*len(inv)+i], cos[r*len(inv)+i], s, c)
				}
			}
		}
	}
	if sin, _ := d.angles([]int32{2}, inv); sin[0] != float32(math.Sin(2)) {
		t.Errorf("after the positions changed the sine is %g", sin[0])
	}
}

// The update runs over states in place; a factor that is not finite changes nothing.
func TestFastAdamW(t *testing.T) {
	settings := op.AdamWSettings{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.1}
	for _, n := range []int{1, 17, 5000, 40001} {
		for _, factor := range []float32{0.25, float32(math.NaN()), float32(math.Inf(1))} {
			c := devicetest.Case{Feeds: map[string]tensor.Host{"factor": tensor.Floats([]float32{factor}, 1), "rates": tensor.Floats(op.AdamWRates(1e-2, 1, settings), 3)},
				States: map[string]tensor.Host{}, Tolerance: 1e-6}
			g, err := ir.Trace(func(b *ir.Builder) {
				var in []ir.Value
				for i, name := range []string{"p", "g", "m", "v"} {
					h := normal(uint64(i), 1, n)
					if name == "v" {
						for j, x := range h.F32 {
							h.F32[j] = x * x
						}
					}
					c.States[name] = h
					in = append(in, b.State(name, h.Type))
				}
				p, m, v := op.AdamW(b, in[0], in[1], in[2], in[3], b.Feed("factor", tensor.Of(tensor.F32, 1)), b.Feed("rates", tensor.Of(tensor.F32, 3)), settings)
				b.Assign("p", p)
				b.Assign("m", m)
				b.Assign("v", v)
			})
			if err != nil {
				t.Fatal(err)
			}
			c.Graph = g
			if factor-factor == 0 {
				agree(t, c)
				continue
			}
			d := New(2)
			got, err := devicetest.Run(t.Context(), d, c)
			d.Close()
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"p", "m", "v"} {
				for i, x := range got["state "+name].F32 {
					if x != c.States[name].F32[i] {
						t.Fatalf("factor %g: %s[%d] went from %g to %g", factor, name, i, c.States[name].F32[i], x)
					}
				}
			}
		}
	}
}

// Products with a weight in NF4 are those with its decoded values, for few rows and for many, both ways round.
func TestNF4Product(t *testing.T) {
	for _, size := range [][3]int{{1, 64, 64}, {5, 70, 33}, {31, 128, 96}, {32, 64, 64}, {40, 130, 67}, {70, 257, 300}, {64, 300, 520}, {33, 9000, 300}} {
		rows, out, in := size[0], size[1], size[2]
		w := normal(7, 1/math.Sqrt(float64(in)), out, in)
		q := quant.QuantizeNF4(w.F32, tensor.Shape{out, in})
		plain := make([]float32, out*in)
		q.Dequantize(plain, 0)
		var coded, values bytes.Buffer
		if _, err := q.WriteTo(&coded); err != nil {
			t.Fatal(err)
		}
		for _, x := range plain {
			values.Write([]byte{byte(math.Float32bits(x)), byte(math.Float32bits(x) >> 8), byte(math.Float32bits(x) >> 16), byte(math.Float32bits(x) >> 24)})
		}
		feeds := map[string]tensor.Host{"x": normal(8, 1, rows, in), "dy": normal(9, 1, rows, out)}
		run := func(threads int, typ tensor.Type, raw []byte) map[string]tensor.Host {
			d := New(threads)
			defer d.Close()
			ctx := context.Background()
			g, err := ir.Trace(func(b *ir.Builder) {
				w := b.Frozen("w", typ)
				b.Output("y", op.Linear(b, b.Feed("x", feeds["x"].Type), w))
				b.Output("dx", op.MatMul(b, b.Feed("dy", feeds["dy"].Type), w, ir.None, op.Orientation{}, 0.5))
			})
			if err != nil {
				t.Fatal(err)
			}
			exec, err := d.Compile(ctx, g)
			if err != nil {
				t.Fatal(err)
			}
			buf, err := d.Upload(ctx, typ, bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if err := exec.Bind(map[string]device.Buffer{"w": buf}); err != nil {
				t.Fatal(err)
			}
			got, err := exec.Run(ctx, feeds)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		want := run(1, tensor.Of(tensor.F32, out, in), values.Bytes())
		one := run(1, tensor.Type{DType: tensor.NF4, Shape: tensor.Shape{out, in}}, coded.Bytes())
		three := run(3, tensor.Type{DType: tensor.NF4, Shape: tensor.Shape{out, in}}, coded.Bytes())
		for _, name := range []string{"y", "dx"} {
			for i, x := range want[name].F32 {
				if e := math.Abs(float64(one[name].F32[i] - x)); !(e <= 2e-5*math.Max(1, math.Abs(float64(x)))) {
					t.Fatalf("%v: %s[%d] is %g, want %g", size, name, i, one[name].F32[i], x)
				}
				if math.Float32bits(one[name].F32[i]) != math.Float32bits(three[name].F32[i]) {
					t.Fatalf("%v: %s[%d] is %g with one thread and %g with three", size, name, i, one[name].F32[i], three[name].F32[i])
				}
			}
		}
	}
}
