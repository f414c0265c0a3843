package webgpu

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

// TestMatMulGrids asks that the dispatches of a product cover every element once and keep to their budget.
func TestMatMulGrids(t *testing.T) {
	for _, c := range []struct {
		m, k, n, rows int
		budget        int64
		groups        int
		dispatches    int
	}{
		{1, 1, 1, 4, 1e9, 65535, 1},
		{64, 64, 64, 8, 1, 65535, 1},
		{65, 10, 65, 8, 1, 65535, 4},
		{1000, 896, 1000, 8, 200e6, 65535, 16},
		{64, 896, 151936, 8, 200e6, 65535, 88},
		{500, 16, 700, 8, 1e12, 3, 32},
		{3, 16, 700, 4, 1e12, 3, 4},
	} {
		p := product{m: c.m, k: c.k, n: c.n, alpha: 1}
		grids := p.grids(matmulForm{across: 8, down: 8, rows: c.rows, depth: 1}, piece{endRow: c.m, endK: c.k, endCol: c.n}, c.budget, c.groups)
		if len(grids) != c.dispatches {
			t.Errorf("%+v: %d dispatches", c, len(grids))
		}
		down, across := ceilDiv(c.m, c.rows*8), ceilDiv(c.n, 64)
		times := make([]int, down*across)
		for _, g := range grids {
			y0, x0 := int(binary.LittleEndian.Uint32(g.params[12:]))/(c.rows*8), int(binary.LittleEndian.Uint32(g.params[16:]))/64
			for y := range int(g.groups[1]) {
				for x := range int(g.groups[0]) {
					times[(y0+y)*across+x0+x]++
				}
			}
			if g.groups[0]*g.groups[1] > 1 && g.flops > c.budget {
				t.Errorf("%+v: a dispatch of %v workgroups is %d operations", c, g.groups, g.flops)
			}
			if int(max(g.groups[0], g.groups[1])) > c.groups {
				t.Errorf("%+v: %v workgroups", c, g.groups)
			}
		}
		for i, n := range times {
			if n != 1 {
				t.Errorf("%+v: workgroup %d runs %d times", c, i, n)
			}
		}
	}
}

func TestParams(t *testing.T) {
	p := params(7, float32(0.5))
	if len(p) != 16 || binary.LittleEndian.Uint32(p) != 7 || math.Float32frombits(binary.LittleEndian.Uint32(p[4:])) != 0.5 {
		t.Errorf("params(7, 0.5) = %v", p)
	}
}

func init() { // an operator without kernels
	ir.Register(ir.Def{Name: "unknown_here", Infer: func(_ ir.Attrs, in []tensor.Type) ([]tensor.Type, error) { return in, nil }})
}

// TestRefusals asks for errors that name the operator. No driver is needed to refuse.
func TestRefusals(t *testing.T) {
	d := &Device{about: adapter{name: "test", maxBinding: 1 << 20, maxBuffer: 1 << 20, alignment: 256, maxStorage: 8, maxGroups: 65535}}
	for want, f := range map[string]func(b *ir.Builder){
		"operator unknown_here": func(b *ir.Builder) {
			b.Output("y", b.Apply("unknown_here", nil, b.Feed("x", tensor.Of(tensor.F32, 4, 4))))
		},
		"state of type U8[64]": func(b *ir.Builder) {
			b.State("w", tensor.Of(tensor.U8, 64))
			b.Output("y", b.Feed("x", tensor.Of(tensor.F32, 4)))
		},
		"temporary of 4000000 bytes": func(b *ir.Builder) {
			b.Output("y", op.Linear(b, b.Feed("x", tensor.Of(tensor.F32, 1000, 4)), b.State("w", tensor.Of(tensor.F32, 1000, 4))))
		},
	} {
		g, err := ir.Trace(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.lower(g); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, which should say %q", err, want)
		}
	}
}

func TestTable(t *testing.T) {
	var items table[string]
	a, b := items.add("a"), items.add("b")
	if a == 0 || b == 0 || a == b {
		t.Fatalf("numbers %d and %d", a, b)
	}
	if items.get(0) != nil || items.get(-1) != nil || items.get(99) != nil || *items.get(b) != "b" {
		t.Error("get finds what is not there, or not what is")
	}
	if *items.take(a) != "a" || items.get(a) != nil || items.take(a) != nil {
		t.Error("a taken item is still there")
	}
	if c := items.add("c"); c == a || *items.get(c) != "c" {
		t.Errorf("number %d is given away twice", a)
	}
	left := ""
	items.drain(func(s *string) { left += *s })
	if len(left) != 2 || items.get(b) != nil {
		t.Errorf("drained %q", left)
	}
}
