// Package devicetest is the suite that every device passes, called from the tests of each. A case is a program with
// its feeds and states; its results are compared with those of the reference kernels at float64, it must give the same
// bits twice, and nothing in it may depend on what lay in memory before. The cases run in a browser too, where there
// is no testing package: Check is the suite without it.
package devicetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"hone/core/device"
	"hone/core/ir"
	"hone/core/quant"
	"hone/core/tensor"
)

// Case is a program with all that it runs on.
type Case struct {
	Name          string
	Graph         *ir.Graph
	Feeds, States map[string]tensor.Host
	// Tolerance bounds the error of an element: |got − want| ≤ Tolerance · max(1, |want|).
	Tolerance float64
}

// runs is how often a case is run over the same states: what it assigns in one run is read in the next.
const runs = 2

// Results are the outputs and, under "state NAME", the assigned states after the last run.
type Results map[string]tensor.Host

// Check runs a case on a device and says what is wrong with the results.
func Check(ctx context.Context, d device.Device, c Case) error {
	want, err := Reference(c)
	if err != nil {
		return err
	}
	exec, err := d.Compile(ctx, c.Graph)
	if err != nil {
		return err
	}
	defer exec.Close()
	// What a run leaves in temporaries is what the next one finds there.
	if _, err := run(ctx, d, exec, poisoned(c)); err != nil {
		return fmt.Errorf("on NaN: %w", err)
	}
	first, err := run(ctx, d, exec, c)
	if err != nil {
		return err
	}
	if err := Compare(first, want, c.Tolerance); err != nil {
		return err
	}
	second, err := run(ctx, d, exec, c)
	if err != nil {
		return err
	}
	if err := Identical(first, second); err != nil {
		return fmt.Errorf("the same run again: %w", err)
	}
	return nil
}

// Run gives the results of a case on a device.
func Run(ctx context.Context, d device.Device, c Case) (Results, error) {
	exec, err := d.Compile(ctx, c.Graph)
	if err != nil {
		return nil, err
	}
	defer exec.Close()
	return run(ctx, d, exec, c)
}

func run(ctx context.Context, d device.Device, exec device.Exec, c Case) (Results, error) {
	states, err := upload(ctx, d, c.States)
	if err != nil {
		return nil, err
	}
	defer release(states)
	if err := exec.Bind(states); err != nil {
		return nil, err
	}
	out := Results{}
	for range runs {
		got, err := exec.Run(ctx, c.Feeds)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, got)
	}
	for _, a := range c.Graph.Assigns {
		var buf bytes.Buffer
		if err := d.Download(ctx, states[a.State], &buf); err != nil {
			return nil, fmt.Errorf("state %s: %w", a.State, err)
		}
		h := tensor.Host{Type: c.States[a.State].Type, F32: make([]float32, buf.Len()/4)}
		for i := range h.F32 {
			h.F32[i] = math.Float32frombits(binary.LittleEndian.Uint32(buf.Bytes()[4*i:]))
		}
		out["state "+a.State] = h
	}
	return out, nil
}

func upload(ctx context.Context, d device.Device, states map[string]tensor.Host) (map[string]device.Buffer, error) {
	buffers := map[string]device.Buffer{}
	for name, h := range states {
		b, err := d.Upload(ctx, h.Type, bytes.NewReader(raw(h)))
		if err != nil {
			release(buffers)
			return nil, fmt.Errorf("state %s: %w", name, err)
		}
		buffers[name] = b
	}
	return buffers, nil
}

func release(buffers map[string]device.Buffer) {
	for _, b := range buffers {
		b.Release()
	}
}

func raw(h tensor.Host) []byte {
	p := slices.Clone(h.Bytes)
	for _, x := range h.F32 {
		p = binary.LittleEndian.AppendUint32(p, math.Float32bits(x))
	}
	for _, x := range h.I32 {
		p = binary.LittleEndian.AppendUint32(p, uint32(x))
	}
	return p
}

// poisoned is the case with NaN for every number, so that every temporary ends up full of them.
func poisoned(c Case) Case {
	nan := func(in map[string]tensor.Host) map[string]tensor.Host {
		out := map[string]tensor.Host{}
		for name, h := range in {
			h.F32 = slices.Clone(h.F32)
			for i := range h.F32 {
				h.F32[i] = float32(math.NaN())
			}
			if h.Type.DType != tensor.NF4 { // which has no NaN
				h.Bytes = bytes.Repeat([]byte{0xff}, len(h.Bytes)) // NaN in F16 and BF16
			}
			out[name] = h
		}
		return out
	}
	c.Feeds, c.States = nan(c.Feeds), nan(c.States)
	return c
}

// CheckNaN puts a NaN into each feed and state in turn and asks that it shows where it shows in the reference: a kernel
// that loses one hides that a run has gone wrong. It may show in more places, by products with zeros.
func CheckNaN(ctx context.Context, d device.Device, c Case) error {
	exec, err := d.Compile(ctx, c.Graph)
	if err != nil {
		return err
	}
	defer exec.Close()
	for _, given := range []func(*Case) *map[string]tensor.Host{func(c *Case) *map[string]tensor.Host { return &c.Feeds }, func(c *Case) *map[string]tensor.Host { return &c.States }} {
		for _, name := range slices.Sorted(maps.Keys(*given(&c))) {
			h := (*given(&c))[name]
			if len(h.F32) == 0 {
				continue
			}
			bad := c
			m := maps.Clone(*given(&c))
			*given(&bad) = m
			h.F32 = slices.Clone(h.F32)
			at := len(h.F32) / 2
			h.F32[at] = float32(math.NaN())
			m[name] = h
			want, err := Reference(bad)
			if err != nil {
				return err
			}
			got, err := run(ctx, d, exec, bad)
			if err != nil {
				return err
			}
			for _, result := range slices.Sorted(maps.Keys(want)) {
				for i, w := range want[result].F {
					if g := got[result].F32[i]; math.IsNaN(w) && !math.IsNaN(float64(g)) {
						return fmt.Errorf("element %d of %s is NaN, and element %d of %s becomes %g, in the reference NaN", at, name, i, result, g)
					}
				}
			}
		}
	}
	return nil
}

// Reference gives what the results should be, at float64.
func Reference(c Case) (map[string]ir.Tensor[float64], error) {
	wide := func(in map[string]tensor.Host) map[string]ir.Tensor[float64] {
		out := map[string]ir.Tensor[float64]{}
		for name, h := range in {
			t := ir.Tensor[float64]{Type: h.Type, I: h.I32, Half: halfBits(h)}
			for _, x := range h.F32 {
				t.F = append(t.F, float64(x))
			}
			if h.Type.DType == tensor.NF4 {
				q, err := quant.ReadNF4(bytes.NewReader(h.Bytes), h.Type.Shape)
				if err != nil {
					panic(err) // the case was made wrongly
				}
				t.NF4 = q
			}
			out[name] = t
		}
		return out
	}
	states := wide(c.States)
	var want map[string]ir.Tensor[float64]
	for range runs {
		out, after, err := ir.Interpret(c.Graph, wide(c.Feeds), states)
		if err != nil {
			return nil, err
		}
		want, states = out, after
	}
	for _, a := range c.Graph.Assigns {
		want["state "+a.State] = states[a.State]
	}
	return want, nil
}

// Compare looks for the element that is furthest from what it should be, and complains when that is too far.
func Compare(got Results, want map[string]ir.Tensor[float64], tolerance float64) error {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		g, w := got[name], want[name]
		if !g.Type.Equal(w.Type) || len(g.F32) != len(w.F) {
			return fmt.Errorf("%s has type %v and %d values, want %v", name, g.Type, len(g.F32), w.Type)
		}
		worst, at := 0.0, 0
		for i, x := range g.F32 {
			e := math.Abs(float64(x)-w.F[i]) / max(1, math.Abs(w.F[i]))
			if !(e <= worst) { // NaN is worse than anything
				worst, at = e, i
			}
			if math.IsNaN(e) {
				break
			}
		}
		if !(worst <= tolerance) {
			return fmt.Errorf("%s %v differs most at element %d: %g, want %g (error %.2g, allowed %.2g)", name, g.Type, at, g.F32[at], w.F[at], worst, tolerance)
		}
	}
	return nil
}

// Identical asks for the same bits.
func Identical(a, b Results) error {
	for _, name := range slices.Sorted(maps.Keys(a)) {
		for i, x := range a[name].F32 {
			if y := b[name].F32[i]; math.Float32bits(x) != math.Float32bits(y) {
				return fmt.Errorf("%s, element %d is %g and %g", name, i, x, y)
			}
		}
	}
	return nil
}

// Time gives the fastest of n runs of a case, after one that does not count.
func Time(ctx context.Context, d device.Device, c Case, n int) (time.Duration, error) {
	exec, err := d.Compile(ctx, c.Graph)
	if err != nil {
		return 0, err
	}
	defer exec.Close()
	states, err := upload(ctx, d, c.States)
	if err != nil {
		return 0, err
	}
	defer release(states)
	if err := exec.Bind(states); err != nil {
		return 0, err
	}
	best := time.Duration(math.MaxInt64)
	for i := range n + 1 {
		start := time.Now()
		if _, err := exec.Run(ctx, c.Feeds); err != nil {
			return 0, err
		}
		if i > 0 {
			best = min(best, time.Since(start))
		}
	}
	return best, nil
}

// Near compares the results of two devices, with the tolerance of each against the reference.
func Near(got, want Results, tolerance float64) error {
	wide := map[string]ir.Tensor[float64]{}
	for name, h := range want {
		t := ir.Tensor[float64]{Type: h.Type}
		for _, x := range h.F32 {
			t.F = append(t.F, float64(x))
		}
		wide[name] = t
	}
	return Compare(got, wide, 2*tolerance)
}
