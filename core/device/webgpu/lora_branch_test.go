//go:build !js

package webgpu

import (
	"fmt"
	"os"
	"testing"
	"time"

	"hone/core/device"
	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// TestLoRABranch times what the branch of LoRA adds to a layer, x·Wᵀ + s·(x·Aᵀ)·Bᵀ: as it is, a product that adds to the one before it
// in place, and as a fused kernel could be at best, which is one product of k + r terms. `make bench` runs it, in turn, and it wants
// the machine for itself.
func TestLoRABranch(t *testing.T) {
	if os.Getenv("HONE_BENCH") == "" {
		t.Skip("a timing; `make bench DEVICE=webgpu` runs it")
	}
	d := open(t)
	d.Caps()
	const tokens, rank = 512, 16
	for _, s := range [][2]int{{896, 896}, {896, 4864}, {4864, 896}} {
		k, n := s[0], s[1]
		t.Run(fmt.Sprintf("%dx%d", n, k), func(t *testing.T) {
			product := func(b *ir.Builder, x, w string, k int, y ir.Value) ir.Value {
				return op.MatMul(b, b.State(x, tensor.Of(tensor.F32, tokens, k)), b.State(w, tensor.Of(tensor.F32, n, k)), y, op.Orientation{B: true}, 1)
			}
			forms := []struct {
				name  string
				trace func(b *ir.Builder, y ir.Value) ir.Value
			}{
				{"W alone", func(b *ir.Builder, y ir.Value) ir.Value { return product(b, "x", "W", k, y) }},
				{"W and the branch", func(b *ir.Builder, y ir.Value) ir.Value {
					return product(b, "h", "B", rank, product(b, "x", "W", k, y))
				}},
				{"k + r terms", func(b *ir.Builder, y ir.Value) ir.Value { return product(b, "xh", "WB", k+rank, y) }},
			}
			execs, best := make([]device.Exec, len(forms)), make([]time.Duration, len(forms))
			for i, f := range forms {
				execs[i], best[i] = ready(t, d, func(b *ir.Builder) {
					b.Assign("y", f.trace(b, b.State("y", tensor.Of(tensor.F32, tokens, n))))
				}), time.Hour
			}
			for range 20 {
				for i, e := range execs {
					start := time.Now()
					if _, err := e.Run(t.Context(), nil); err != nil {
						t.Fatal(err)
					}
					best[i] = min(best[i], time.Since(start))
				}
			}
			for i, f := range forms {
				t.Logf("%-16s %8.2f ms, %.3f of W alone", f.name, 1e3*best[i].Seconds(), best[i].Seconds()/best[0].Seconds())
			}
		})
	}
}

// ready is a program whose states are zeros, until the test ends.
func ready(t *testing.T, d *Device, trace func(*ir.Builder)) device.Exec {
	t.Helper()
	g, err := ir.Trace(trace)
	if err != nil {
		t.Fatal(err)
	}
	e, err := d.Compile(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	states := map[string]device.Buffer{}
	for name, v := range g.States {
		if states[name], err = d.Upload(t.Context(), g.Nodes[v].Type, nil); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(states[name].Release)
	}
	if err := e.Bind(states); err != nil {
		t.Fatal(err)
	}
	return e
}
