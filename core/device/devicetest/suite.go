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

// Suite runs every case on one device that open opens.
func Suite(t *testing.T, open func() device.Device) {
	d := open()
	defer func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	t.Logf("device: %+v", d.Caps())
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			if err := Check(t.Context(), d, c); err != nil {
				t.Errorf("%v\n%v", err, c.Graph)
			}
		})
	}
	t.Run("halves", func(t *testing.T) { halves(t, d) })
	t.Run("shared temporaries", func(t *testing.T) { sharedTemporaries(t, d) })
	t.Run("refusals", func(t *testing.T) { refusals(t, d) })
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
