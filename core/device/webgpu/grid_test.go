package webgpu

import (
	"encoding/binary"
	"testing"
)

// TestGrids asks that the dispatches cover every piece once, keep to the budget as far as a workgroup allows it, and to
// the limit of workgroups.
func TestGrids(t *testing.T) {
	for _, c := range []struct {
		n, per     int
		work       int64
		groups     int
		dispatches int
	}{
		{1, 64, 1, 65535, 1},
		{64, 64, 1, 65535, 1},
		{65, 64, 1e6, 65535, 1},
		{65, 64, 1e9, 65535, 2},
		{100, 1, 1e8, 65535, 50},
		{1000, 8, 0, 3, 42},
		{5_000_000, 64, 1, 65535, 2},
	} {
		d := &Device{submissionFLOPs: 200e6, about: adapter{maxGroups: c.groups}}
		next := 0
		grids := d.grids(c.n, c.per, c.work, 7)
		for _, g := range grids {
			first, n, word := binary.LittleEndian.Uint32(g.params), binary.LittleEndian.Uint32(g.params[4:]), binary.LittleEndian.Uint32(g.params[8:])
			if int(first) != next || int(n) != c.n || word != 7 {
				t.Errorf("%+v: a dispatch begins at %d of %d with word %d, want %d", c, first, n, word, next)
			}
			groups := int(g.groups[0])
			if groups > c.groups || groups > 1 && g.flops > d.submissionFLOPs || g.groups[1] != 1 || g.groups[2] != 1 {
				t.Errorf("%+v: a dispatch of %v workgroups and %d operations", c, g.groups, g.flops)
			}
			next += groups * c.per
		}
		if next < c.n || next >= c.n+c.per || len(grids) != c.dispatches {
			t.Errorf("%+v: %d dispatches reach %d", c, len(grids), next)
		}
	}
}
