//go:build !js

package webgpu

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"hone/core/device"
	"hone/core/device/devicetest"
)

func TestConformance(t *testing.T) {
	for _, variant := range []string{"registers", "tiled"} {
		t.Run(variant, func(t *testing.T) {
			devicetest.Suite(t, func() device.Device {
				d, err := Open(t.Context(), Options{})
				if err != nil {
					absent(t, err)
				}
				d.variant = variant
				return d
			})
		})
	}
}

// TestCuts runs products in many dispatches and many submissions; the result may not depend on it.
func TestCuts(t *testing.T) {
	d := open(t)
	for _, c := range []devicetest.Case{devicetest.Square(200), devicetest.Chain()} {
		whole, err := devicetest.Run(t.Context(), d, c)
		if err != nil {
			t.Fatal(err)
		}
		usual := d.submissionFLOPs
		d.submissionFLOPs = 2e6
		e, err := d.Compile(t.Context(), c.Graph)
		if err != nil {
			t.Fatal(err)
		}
		if n, least := e.Cost().Dispatches, 4; n < least {
			t.Errorf("%s: %d dispatches, want at least %d", c.Name, n, least)
		}
		e.Close()
		cut, err := devicetest.Run(t.Context(), d, c)
		if err != nil {
			t.Fatal(err)
		}
		d.submissionFLOPs = usual
		if err := devicetest.Identical(whole, cut); err != nil {
			t.Errorf("%s in pieces: %v", c.Name, err)
		}
	}
}

// counted counts the calls that a step may not make.
type counted struct {
	driver
	made, replays int
}

func (c *counted) createBuffer(label string, bytes int64, u usage) (bufferID, error) {
	c.made++
	return c.driver.createBuffer(label, bytes, u)
}

func (c *counted) createGroup(p pipelineID, b []binding) (groupID, error) {
	c.made++
	return c.driver.createGroup(p, b)
}

func (c *counted) write(b bufferID, offset int64, p []byte) error {
	c.made++
	return c.driver.write(b, offset, p)
}

func (c *counted) replay(ctx context.Context, p programID, feed, out []byte) (time.Duration, error) {
	c.replays++
	return c.driver.replay(ctx, p, feed, out)
}

// TestStep asks that after the first run a step is one replay and makes nothing.
func TestStep(t *testing.T) {
	d := open(t)
	c := &counted{driver: d.drv}
	d.drv = c
	after := func(n int) (made, replays int) {
		if _, err := devicetest.Time(t.Context(), d, devicetest.Chain(), n); err != nil {
			t.Fatal(err)
		}
		defer func() { c.made, c.replays = 0, 0 }()
		return c.made, c.replays
	}
	after(1) // makes the temporaries
	one, _ := after(1)
	ten, replays := after(10)
	if ten != one || replays != 11 {
		t.Errorf("%d runs made %d objects and writes in %d replays, 2 runs made %d", 11, ten, replays, one)
	}
}

// TestOtherCuts asks that a program whose submissions are to be of another size makes no bind group or buffer for it where its
// dispatches can stay, and computes the same.
func TestOtherCuts(t *testing.T) {
	d := open(t)
	d.Caps()
	counts := &counted{driver: d.drv}
	d.drv = counts
	c := devicetest.Chain() // six kernels, the largest of 1.5 million operations
	d.submissionFLOPs = 4e6
	x, err := d.Compile(t.Context(), c.Graph)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	states := map[string]device.Buffer{}
	for name, h := range c.States {
		b, err := d.Upload(t.Context(), h.Type, bytes.NewReader(encode(h.Type, h.F32)))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Release()
		states[name] = b
	}
	if err := x.Bind(states); err != nil {
		t.Fatal(err)
	}
	e := x.(*exec)
	run := func() []float32 {
		t.Helper()
		counts.made = 0
		out, err := x.Run(t.Context(), c.Feeds)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(out["y"].F32)
	}
	want := run()
	for _, x := range []struct {
		budget int64
		anew   bool
	}{{2e6, false}, {8e6, false}, {1.5e6, false}, {100e3, true}, {200e3, true}, {100e6, true}, {2e6, false}} {
		before := e.cuts
		d.submissionFLOPs = x.budget
		if got := run(); !slices.Equal(got, want) {
			t.Errorf("cut for submissions of %d operations it computes something else", x.budget)
		}
		if anew := counts.made > 0; anew != x.anew || e.cuts == before && !anew {
			t.Errorf("cut for submissions of %d operations, the program has %d cuts, before %d, and made %d bind groups and buffers", x.budget, e.cuts, before, counts.made)
		}
	}
}

func BenchmarkMatMul512(b *testing.B) { benchmark(b, devicetest.Square(512), 2*512*512*512) }

func BenchmarkChain(b *testing.B) { benchmark(b, devicetest.Chain(), 0) }

func benchmark(b *testing.B, c devicetest.Case, flops float64) {
	d := open(b)
	took, err := devicetest.Time(b.Context(), d, c, b.N)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(flops/took.Seconds()/1e9, "GFLOP/s")
	b.ReportMetric(float64(took.Microseconds()), "µs-best")
}

func BenchmarkAttention512(b *testing.B) {
	benchmark(b, devicetest.LongAttention(512, 4, 2, 64), 14*4*64*512*513/2)
}

func BenchmarkEmbeddingGradient8192(b *testing.B) {
	benchmark(b, devicetest.EmbeddingGradient(4*2048, 8192, 64), 0)
}

func BenchmarkScatteredRows8192(b *testing.B) {
	benchmark(b, devicetest.ScatteredRows(4*2048, 16384, 64), 0)
}
