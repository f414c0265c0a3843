package cpu

import (
	"testing"

	"hone/core/device/devicetest"
	"hone/core/ir"
)

// TestProfile asks for ceilings that a machine can have, and for a time of every node that runs.
func TestProfile(t *testing.T) {
	d := New(2)
	defer d.Close()
	most, err := d.Measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f GFLOP/s, %.1f GB/s", most.FLOPs/1e9, most.Bytes/1e9)
	if most.FLOPs < 1e7 || most.FLOPs > 1e15 || most.Bytes < 1e7 || most.Bytes > 1e13 {
		t.Errorf("%+v is out of reach of any machine", most)
	}
	c := devicetest.Chain()
	x, err := d.Compile(t.Context(), c.Graph)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	states, free, err := devicetest.Upload(t.Context(), d, c)
	if err != nil {
		t.Fatal(err)
	}
	defer free()
	if err := x.Bind(states); err != nil {
		t.Fatal(err)
	}
	times, err := x.(*exec).Profile(t.Context(), c.Feeds)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for _, n := range c.Graph.Nodes {
		if ir.Source(n.Op) {
			continue
		}
		if i == len(times) || times[i].Op != n.Op || times[i].Time <= 0 || times[i].Bytes <= 0 {
			t.Fatalf("node %s is missing or empty in %+v", n.Op, times)
		}
		i++
	}
}
