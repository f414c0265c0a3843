package webgpu

import (
	"strings"
	"testing"
	"time"

	"hone/core/device/devicetest"
)

// TestSettle asks that the kernels are chosen once, quickly, and leave nothing behind; and that a forced choice stands.
func TestSettle(t *testing.T) {
	for _, forced := range []string{"", Registers, Tiled} {
		d := open(t)
		d.variant = forced
		began := time.Now()
		got := d.Caps().Variant
		took := time.Since(began)
		if forced != "" && got != forced || got != Registers && got != Tiled {
			t.Errorf("asked for %q, got %q", forced, got)
		}
		if d.submissionFLOPs < 1e6 {
			t.Errorf("a submission may be %d operations", d.submissionFLOPs)
		}
		if len(d.live) != 0 || d.held != 0 {
			t.Errorf("%d buffers of %d bytes are left", len(d.live), d.held)
		}
		before := len(d.pipelines)
		if d.Caps(); len(d.pipelines) != before {
			t.Error("the choice is made twice")
		}
		t.Logf("forced %q: %s kernels, %.1f GFLOP/s, in %v", forced, got, float64(d.submissionFLOPs)/submissionTime.Seconds()/1e9, took)
	}
	if err := checkVariant("fast"); err == nil || !strings.Contains(err.Error(), Tiled) {
		t.Errorf("error %v, which should list the variants", err)
	}
}

// TestAdapt asks that slow submissions become smaller, and many quick ones larger, with the same results.
func TestAdapt(t *testing.T) {
	d := open(t)
	c := devicetest.Square(200)
	before, err := devicetest.Run(t.Context(), d, c)
	if err != nil {
		t.Fatal(err)
	}
	x, err := d.Compile(t.Context(), c.Graph)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	e := x.(*exec)
	d.submissionFLOPs, e.budget = 1e12, 1e12
	e.adapt(10 * submissionTime)
	if d.submissionFLOPs != 1e12 || e.stale() {
		t.Error("a small program that takes long, as on a busy machine, makes submissions smaller")
	}
	d.submissionFLOPs, e.budget = 5e7, 5e7
	for range 2 { // each asks for an eighth
		e.adapt(10 * submissionTime)
	}
	if d.submissionFLOPs > 2e6 || !e.stale() {
		t.Errorf("after slow submissions %d operations are allowed, the program is cut for %d", d.submissionFLOPs, e.budget)
	}
	after, err := devicetest.Run(t.Context(), d, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := devicetest.Identical(before, after); err != nil {
		t.Errorf("cut anew: %v", err)
	}
	if err := e.cutAnew(); err != nil {
		t.Fatal(err)
	}
	if e.stale() || e.Cost().Dispatches < 2 {
		t.Errorf("cut anew, the program has %d dispatches", e.Cost().Dispatches)
	}
	small := d.submissionFLOPs
	e.cuts = 3
	e.adapt(submissionTime / 100)
	if d.submissionFLOPs != small {
		t.Error("one quick run after two slow ones makes submissions larger")
	}
	for range 3 {
		e.adapt(submissionTime / 100)
	}
	if d.submissionFLOPs <= small || !e.stale() {
		t.Error("quick submissions do not become larger")
	}
}
