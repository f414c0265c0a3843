//go:build !js

package devicetest

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"hone/core/device"
	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// Suite runs every case on one device that open opens.
func Suite(t *testing.T, open func() device.Device) {
	d := open()
	defer func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	t.Logf("device: %+v", d.Caps())
	for _, c := range append(Cases(), RandomCases(1, draws)...) {
		t.Run(c.Name, func(t *testing.T) {
			if err := Check(t.Context(), d, c); err != nil {
				t.Errorf("%v\n%v", err, c.Graph)
			}
			if c.elements() > 3000 { // the reference is slow, and runs once for each feed
				return
			}
			if err := CheckNaN(t.Context(), d, c); err != nil {
				t.Errorf("%v\n%v", err, c.Graph)
			}
		})
	}
	t.Run("halves", func(t *testing.T) { halves(t, d) })
	t.Run("shared temporaries", func(t *testing.T) { sharedTemporaries(t, d) })
	t.Run("refusals", func(t *testing.T) { refusals(t, d) })
	t.Run("writes", func(t *testing.T) { writes(t, d) })
	t.Run("hostile numbers", func(t *testing.T) { hostileNumbers(t, d) })
}

// halves runs the cases with matrices in 16 bits. A device that does not keep them says so in its Caps; given one it
// widens it, or refuses it by its type.
func halves(t *testing.T, d device.Device) {
	if !d.Caps().Halves {
		for _, dt := range []tensor.DType{tensor.F16, tensor.BF16} {
			b, err := d.Upload(t.Context(), tensor.Of(dt, 2, 2), bytes.NewReader(make([]byte, 8)))
			if err == nil && b.Type().DType == tensor.F32 {
				b.Release()
				continue
			}
			if err == nil || !strings.Contains(err.Error(), dt.String()) {
				t.Errorf("the device keeps no halves, but an upload of %v gives the error %v", dt, err)
			}
		}
		return
	}
	for _, c := range HalfCases() {
		t.Run(c.Name, func(t *testing.T) {
			if err := Check(t.Context(), d, c); err != nil {
				t.Errorf("%v\n%v", err, c.Graph)
			}
		})
	}
}

// sharedTemporaries runs two programs in turn, the second of which makes the temporaries of the first larger.
func sharedTemporaries(t *testing.T, d device.Device) {
	small, large := Chain(), newCase("larger chain", chainTolerance, func(d *draft) {
		h := d.feed("x", 1, 130, 300)
		for i := range 3 {
			h = op.Linear(d.Builder, h, d.weight(fmt.Sprintf("w%d", i), 300, 300, 300))
		}
		d.Output("y", h)
	})
	ctx := t.Context()
	var execs []device.Exec
	for _, c := range []Case{small, large} {
		e, err := d.Compile(ctx, c.Graph)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		buffers, err := upload(ctx, d, c.States)
		if err != nil {
			t.Fatal(err)
		}
		defer release(buffers)
		if err := e.Bind(buffers); err != nil {
			t.Fatal(err)
		}
		execs = append(execs, e)
		if len(execs) == 1 {
			if _, err := e.Run(ctx, c.Feeds); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		for i, c := range []Case{small, large} {
			want, err := Reference(c)
			if err != nil {
				t.Fatal(err)
			}
			got, err := execs[i].Run(ctx, c.Feeds)
			if err != nil {
				t.Fatal(err)
			}
			if err := Compare(got, want, c.Tolerance); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
		}
	}
}

// hostileNumbers feeds numbers of rows that are not there.
func hostileNumbers(t *testing.T, d device.Device) {
	for _, c := range []struct {
		of   string
		bad  []int32
		good []int32
		f    func(b *ir.Builder, x, numbers ir.Value) ir.Value
	}{
		{"embedding", []int32{9, 1 << 30, math.MaxInt32}, []int32{0, 8, -1, math.MinInt32}, func(b *ir.Builder, x, numbers ir.Value) ir.Value { return op.Embedding(b, x, numbers) }},
		{"embedding_grad", []int32{5, math.MaxInt32}, []int32{0, 4, -1, math.MinInt32}, func(b *ir.Builder, x, numbers ir.Value) ir.Value {
			return b.Apply("embedding_grad", ir.Attrs{"rows": 5}, x, numbers)
		}},
		{"scatter_rows", []int32{9, math.MaxInt32}, []int32{0, 8, -1, math.MinInt32}, func(b *ir.Builder, x, numbers ir.Value) ir.Value {
			return op.ScatterRows(b, x, x, numbers)
		}},
		{"linear_cross_entropy", []int32{9, -1, -99, math.MinInt32}, []int32{0, 8, op.NoTarget}, func(b *ir.Builder, x, numbers ir.Value) ir.Value {
			return op.LinearCrossEntropy(b, x, x, numbers)
		}},
	} {
		g, err := ir.Trace(func(b *ir.Builder) {
			b.Output("y", c.f(b, b.Feed("x", tensor.Of(tensor.F32, 9, 4)), b.Feed("numbers", tensor.Of(tensor.I32, 9))))
		})
		if err != nil {
			t.Fatal(err)
		}
		e, err := d.Compile(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		run := func(number int32) error {
			_, err := e.Run(t.Context(), map[string]tensor.Host{"x": tensor.Floats(make([]float32, 36), 9, 4), "numbers": tensor.Ints([]int32{0, 1, 2, 3, 4, 0, 1, number, 3}, 9)})
			return err
		}
		for _, number := range c.bad {
			if err := run(number); err == nil || !strings.Contains(err.Error(), c.of) || !strings.Contains(err.Error(), fmt.Sprint("number 7 is ", number)) {
				t.Errorf("%s of row %d gives the error %v, which should name both", c.of, number, err)
			}
		}
		for _, number := range c.good {
			if err := run(number); err != nil {
				t.Errorf("%s of row %d: %v", c.of, number, err)
			}
		}
	}
}

// refusals asks for errors where a device is used wrongly.
func refusals(t *testing.T, d device.Device) {
	c := Chain()
	ctx := t.Context()
	e, err := d.Compile(ctx, c.Graph)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Run(ctx, c.Feeds); err == nil {
		t.Error("a program runs before its states are bound")
	}
	states, err := upload(ctx, d, c.States)
	if err != nil {
		t.Fatal(err)
	}
	defer release(states)
	missing := map[string]device.Buffer{"up": states["up"]}
	if err := e.Bind(missing); err == nil {
		t.Error("states are missing and Bind does not say so")
	}
	wrong := map[string]device.Buffer{}
	for name, b := range states {
		wrong[name] = b
	}
	wrong["up"] = states["down"]
	if err := e.Bind(wrong); err == nil {
		t.Error("a state has the wrong shape and Bind does not say so")
	}
	if err := e.Bind(states); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Run(ctx, nil); err == nil {
		t.Error("a feed is missing and Run does not say so")
	}
	if _, err := e.Run(ctx, map[string]tensor.Host{"x": tensor.Floats(make([]float32, 4), 2, 2)}); err == nil {
		t.Error("a feed has the wrong shape and Run does not say so")
	}
	if _, err := d.Upload(ctx, tensor.Of(tensor.F32, 8), bytes.NewReader(make([]byte, 12))); err == nil {
		t.Error("an upload ends early and no error says so")
	}
	odd, err := ir.Trace(func(b *ir.Builder) { b.Output("y", b.State("x", tensor.Of(tensor.F32, 2))) })
	if err != nil {
		t.Fatal(err)
	}
	odd.Nodes = append(odd.Nodes, ir.Node{Op: "no such operator", In: []ir.Value{0}, Type: tensor.Of(tensor.F32, 2)})
	if _, err := d.Compile(ctx, odd); err == nil || !strings.Contains(err.Error(), "no such operator") {
		t.Errorf("a program with an unknown operator gives the error %v, which should name it", err)
	}
}

// elements is the size of a case: what all its nodes compute.
func (c Case) elements() int {
	n := 0
	for _, node := range c.Graph.Nodes {
		n += node.Type.Elements()
	}
	return n
}
