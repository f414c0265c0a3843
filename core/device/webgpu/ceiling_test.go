//go:build !js

package webgpu

import (
	"testing"

	"hone/core/device"
	"hone/core/device/devicetest"
	"hone/core/ir"
)

// TestMeasure asks for ceilings that a machine can have, and that measuring leaves nothing behind.
func TestMeasure(t *testing.T) {
	d := open(t)
	c, err := d.Measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f GFLOP/s, %.1f GB/s", c.FLOPs/1e9, c.Bytes/1e9)
	if c.FLOPs < 1e7 || c.FLOPs > 1e16 || c.Bytes < 1e7 || c.Bytes > 1e14 {
		t.Errorf("%+v is out of reach of any machine", c)
	}
	if len(d.live) != 0 {
		t.Errorf("%d buffers are left", len(d.live))
	}
	if a := d.Adapters(); len(a) == 0 || a[0].Name != d.Caps().Name || len(a[0].Limits) == 0 {
		t.Errorf("adapters %+v", a)
	}
}

// TestProfile asks for a time of every node that runs, and that the buffers of a run take what the plan says.
func TestProfile(t *testing.T) {
	d := open(t)
	d.Caps()
	c := devicetest.Chain()
	e, err := d.Compile(t.Context(), c.Graph)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	states, free, err := devicetest.Upload(t.Context(), d, c)
	if err != nil {
		t.Fatal(err)
	}
	defer free()
	if err := e.Bind(states); err != nil {
		t.Fatal(err)
	}
	times, err := e.(device.Profiler).Profile(t.Context(), c.Feeds)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for _, n := range c.Graph.Nodes {
		if ir.Source(n.Op) {
			continue
		}
		if i == len(times) || times[i].Op != n.Op || times[i].Time <= 0 || times[i].Bytes <= 0 || n.Op == "matmul" && times[i].FLOPs <= 0 {
			t.Fatalf("node %s is missing or empty in %+v", n.Op, times)
		}
		i++
	}
	slots, feeds, workspace := device.SharedBytes(e.Cost())
	planned := slots + feeds + workspace
	for _, b := range states {
		planned += b.Type().Bytes()
	}
	if d.Held() != planned {
		t.Errorf("the buffers take %d bytes, planned were %d", d.Held(), planned)
	}
}
