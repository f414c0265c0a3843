//go:build !js

package webgpu

import (
	"fmt"
	"os"
	"testing"
	"time"

	"hone/core/device/devicetest"
	"hone/core/op"
)

// handWritten is a product C = A·B of matrices [1024, 1024] with nothing but what this one size needs: an invocation keeps
// rows × 4·vectors elements of C in registers.
func handWritten(rows, vectors int) string {
	var s string
	line := func(format string, args ...any) { s += fmt.Sprintf(format+"\n", args...) }
	line("@group(0) @binding(0) var<uniform> p: vec4u;")
	line("@group(0) @binding(1) var<storage, read> a: array<vec4f>;")
	line("@group(0) @binding(2) var<storage, read> b: array<vec4f>;")
	line("@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;")
	line("@compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) id: vec3u) {")
	line("let col = id.x * %du; let row = id.y * %du;", vectors, rows)
	for r := range rows {
		for v := range vectors {
			line("var c%d_%d = vec4f();", r, v)
		}
	}
	line("for (var k = 0u; k < 256u; k++) {")
	for v := range vectors {
		for i := range 4 {
			line("let b%d_%d = b[(4u * k + %du) * 256u + col + %du];", i, v, i, v)
		}
	}
	for r := range rows {
		line("let a%d = a[(row + %du) * 256u + k];", r, r)
		for v := range vectors {
			line("c%d_%d += b0_%d * a%d.x + b1_%d * a%d.y + b2_%d * a%d.z + b3_%d * a%d.w;", r, v, v, r, v, r, v, r, v, r)
		}
	}
	line("}")
	for r := range rows {
		for v := range vectors {
			line("c[(row + %du) * 256u + col + %du] = c%d_%d;", r, v, r, v)
		}
	}
	return s + "}"
}

// TestBestShape times our product of 1024³ beside hand-written ones in the same run, in turn. `make bench` runs it; it
// wants the machine for itself.
func TestBestShape(t *testing.T) {
	if os.Getenv("HONE_BENCH") == "" {
		t.Skip("a timing; `make bench DEVICE=webgpu` runs it")
	}
	const n = 1024
	d := open(t)
	most, err := d.Measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: at most %.1f GFLOP/s", d.about.name, most.FLOPs/1e9)
	d.submissionFLOPs = 1 << 40
	type shape struct {
		name string
		once []command
		best time.Duration
	}
	var shapes []*shape
	for _, s := range [][2]int{{1, 1}, {4, 1}, {8, 1}, {8, 2}} {
		var id pipelineID
		var bindings []binding
		for i, bytes := range []int64{16, 4 * n * n, 4 * n * n, 4 * n * n} {
			u := storage
			if i == 0 {
				u = uniform
			}
			b, err := d.newBuffer("hand-written", bytes, u)
			if err != nil {
				t.Fatal(err)
			}
			bindings = append(bindings, binding{b, 0, bytes})
		}
		var group groupID
		err := d.drv.scope(func() (err error) {
			if id, err = d.drv.createPipeline(fmt.Sprint("hand ", s), handWritten(s[0], s[1]), []access{reads, reads, writes}); err != nil {
				return err
			}
			group, err = d.drv.createGroup(id, bindings)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		shapes = append(shapes, &shape{name: fmt.Sprintf("hand-written %d×%d", s[0], 4*s[1]), best: time.Hour,
			once: []command{{kind: dispatch, pipeline: id, group: group, groups: [3]uint32{uint32(n / (32 * s[1])), uint32(n / (8 * s[0])), 1}}}})
	}
	for _, transposed := range []bool{false, true} {
		c := devicetest.Product(n, n, n, op.Orientation{B: transposed})
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
		e := x.(*exec)
		if err := e.prepare(); err != nil {
			t.Fatal(err)
		}
		own := &shape{name: fmt.Sprintf("ours, transposed %v", transposed), best: time.Hour}
		for i, g := range e.p.steps[0].grids {
			own.once = append(own.once, command{kind: dispatch, pipeline: e.p.steps[0].pipeline, group: e.groups[i], groups: g.groups})
		}
		shapes = append(shapes, own)
	}
	for range 5 {
		for _, s := range shapes {
			p, err := d.drv.record(recording{commands: s.once})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the first compiles, or warms
				start := time.Now()
				if _, err := d.drv.replay(t.Context(), p, nil, nil); err != nil {
					t.Fatal(err)
				}
				s.best = min(s.best, time.Since(start))
			}
			d.drv.forget(p)
		}
	}
	speed := func(s *shape) float64 { return 2 * n * n * n / s.best.Seconds() / 1e9 }
	best := 0.0
	for i, s := range shapes {
		if i < 4 {
			best = max(best, speed(s))
		}
		t.Logf("%-24s %.2f GFLOP/s", s.name, speed(s))
	}
	// The second of ours is x·Wᵀ, the product of every linear layer.
	if own := speed(shapes[5]); own < 0.95*best {
		t.Errorf("our product runs at %.2f GFLOP/s, less than 0.95 of the best hand-written one, %.2f", own, best)
	}
}
