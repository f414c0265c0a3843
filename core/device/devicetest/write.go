//go:build !js

package devicetest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"hone/core/device"
	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// writes gives buffers other values while a program is bound to them.
func writes(t *testing.T, d device.Device) {
	ctx := t.Context()
	kinds := []tensor.DType{tensor.F32, tensor.NF4}
	if d.Caps().Halves {
		kinds = append(kinds, tensor.F16, tensor.BF16)
	}
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			// The weight is frozen, so a device may have laid it out anew.
			states := [2]map[string]tensor.Host{}
			var c Case
			for i := range states {
				c = newCase("write", chainTolerance, func(dr *draft) {
					dr.stream = uint64(100 * i)
					var w ir.Value
					switch kind {
					case tensor.F32:
						dr.c.States["w"] = dr.values(0.1, 33, 67)
						w = dr.Frozen("w", dr.c.States["w"].Type)
					case tensor.NF4:
						w = dr.quantised("w", 67, 33, 67)
					default:
						w = dr.half("w", kind, 67, 33, 67)
					}
					dr.Output("y", op.Linear(dr.Builder, dr.feed("x", 1, 5, 67), w))
				})
				states[i] = c.States
			}
			e, err := d.Compile(ctx, c.Graph)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			buffers, err := upload(ctx, d, states[0])
			if err != nil {
				t.Fatal(err)
			}
			defer release(buffers)
			if err := e.Bind(buffers); err != nil {
				t.Fatal(err)
			}
			for _, i := range []int{0, 1, 0} {
				if err := d.Write(ctx, buffers["w"], bytes.NewReader(raw(states[i]["w"]))); err != nil {
					t.Fatal(err)
				}
				c.States = states[i]
				want, err := Reference(c)
				if err != nil {
					t.Fatal(err)
				}
				got, err := e.Run(ctx, c.Feeds)
				if err != nil {
					t.Fatal(err)
				}
				if err := Compare(got, want, c.Tolerance); err != nil {
					t.Errorf("after writing weight %d: %v", i, err)
				}
				var back bytes.Buffer
				if err := d.Download(ctx, buffers["w"], &back); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(back.Bytes(), raw(states[i]["w"])) {
					t.Errorf("weight %d comes back changed", i)
				}
			}
			if err := d.Write(ctx, buffers["w"], strings.NewReader("too few")); err == nil {
				t.Error("a write ends early and no error says so")
			}
		})
	}
	t.Run("paged", func(t *testing.T) { paged(t, d) })
	b, err := d.Upload(ctx, tensor.Of(tensor.F32, 3), nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Release()
	if err := d.Write(ctx, b, bytes.NewReader(make([]byte, 12))); err == nil {
		t.Error("a released buffer is written to")
	}
}

// paged moves a tensor to the device, lets a program double it, and takes it back, twice.
func paged(t *testing.T, d device.Device) {
	ctx := t.Context()
	typ := tensor.Of(tensor.F32, 3, 7)
	values := make([]float32, 21)
	for i := range values {
		values[i] = float32(i) - 4.5
	}
	p, err := device.NewPaged(typ, bytes.NewReader(raw(tensor.Floats(values, 3, 7))))
	if err != nil {
		t.Fatal(err)
	}
	g, err := ir.Trace(func(b *ir.Builder) {
		x := b.State("x", typ)
		b.Assign("x", op.Add(b, x, x))
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := d.Compile(ctx, g)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	window, err := d.Upload(ctx, typ, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer window.Release()
	if err := e.Bind(map[string]device.Buffer{"x": p}); err == nil {
		t.Error("a program is bound to a tensor in the host's memory")
	}
	if err := e.Bind(map[string]device.Buffer{"x": window}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, f := range []func() error{func() error { return p.PageIn(ctx, d, window) },
			func() error { _, err := e.Run(ctx, nil); return err }, func() error { return p.PageOut(ctx, d, window) }} {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range values {
		values[i] *= 4
	}
	var got bytes.Buffer
	if err := device.Download(ctx, d, p, &got); err != nil {
		t.Fatal(err)
	}
	if want := raw(tensor.Floats(values, 3, 7)); !bytes.Equal(got.Bytes(), want) {
		t.Errorf("doubled twice: % x, want % x", got.Bytes(), want)
	}
	other, err := d.Upload(ctx, tensor.Of(tensor.F32, 3), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Release()
	if err := p.PageOut(ctx, d, other); err == nil {
		t.Error("values of another size are taken")
	}
	if _, err := device.NewPaged(typ, bytes.NewReader(nil)); err == nil || !strings.Contains(err.Error(), fmt.Sprint(typ)) {
		t.Errorf("a tensor that ends early gives the error %v", err)
	}
}
