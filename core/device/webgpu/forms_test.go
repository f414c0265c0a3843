//go:build !js

package webgpu

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"testing"
	"time"

	"hone/core/device"
	"hone/core/device/devicetest"
	"hone/core/ir"
	"hone/core/op"
)

// matmulForms are those that a product may take on a GPU, and others worth a comparison.
var matmulForms = append(tiles[:len(tiles):len(tiles)],
	matmulForm{across: 1, down: 1, rows: 8, depth: 64}, matmulForm{across: 1, down: 1, rows: 4, depth: 64},
	matmulForm{across: 16, down: 16, rows: 8, depth: 1, tiled: true}, matmulForm{across: 8, down: 8, rows: 8, depth: 2, tiled: true})

// TestForms multiplies matrices of odd and tiny sizes in every form, also those that such sizes do not take by themselves.
func TestForms(t *testing.T) {
	d := open(t)
	d.variant = Tiled
	for _, f := range matmulForms {
		d.form = &f
		for _, o := range []op.Orientation{{}, {B: true}, {A: true}, {A: true, B: true}} {
			for _, size := range [][3]int{{1, 1, 1}, {3, 130, 5}, {70, 9, 131}, {68, 36, 132}, {8, 1000, 12}, {9, 259, 8}} {
				c := devicetest.Product(size[0], size[1], size[2], o)
				if err := devicetest.Check(t.Context(), d, c); err != nil {
					t.Errorf("%+v: %s: %v", f, c.Name, err)
				}
			}
		}
	}
}

// TestFormSpeed times the products of a step in every form, and in the one that each takes by itself: what the choice is
// made by. It wants a graphics card.
func TestFormSpeed(t *testing.T) {
	if os.Getenv("HONE_BENCH") == "" {
		t.Skip("a timing; HONE_BENCH=1 runs it")
	}
	d := open(t)
	d.variant, d.submissionFLOPs = Tiled, 1<<40
	const tokens = 1024
	var sizes [][3]int                                                                                                       // m, k, n of a layer's products
	for _, s := range [][2]int{{2048, 2048}, {8192, 2048}, {2048, 8192}, {512, 2048}, {1408, 512}, {512, 512}, {256, 512}} { // out, in
		sizes = append(sizes, [3]int{tokens, s[1], s[0]})
	}
	if os.Getenv("HONE_BENCH") == "small" {
		sizes = [][3]int{{64, 64, 64}}
	}
	forms := append([]matmulForm{{}}, matmulForms...)
	line := func(name string, m, k, n int, o op.Orientation) {
		c := devicetest.Product(m, k, n, o)
		states := map[string]device.Buffer{}
		for name, v := range c.Graph.States {
			b, err := d.Upload(t.Context(), c.Graph.Nodes[v].Type, noise{})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Release()
			states[name] = b
		}
		text := fmt.Sprintf("%-4s %5d %5d %5d ", name, m, k, n)
		for i, f := range forms {
			d.form = &f
			if i == 0 {
				d.form = nil
			}
			took := time.Hour
			for range 2 { // a card left idle, while kernels are compiled, takes a while to raise its clocks
				again, err := d.timeGraph(t.Context(), c.Graph, states)
				if err != nil {
					t.Fatal(err)
				}
				took = min(took, again)
			}
			text += fmt.Sprintf(" |%8.1f %6.2f", took.Seconds()*1e6, 2*float64(m)*float64(k)*float64(n)/took.Seconds()/1e12)
		}
		t.Log(text)
	}
	t.Logf("%+v", forms)
	for _, s := range sizes {
		m, in, out := s[0], s[1], s[2]
		line("y", m, in, out, op.Orientation{B: true})
		line("dx", m, out, in, op.Orientation{})
		line("dW", out, m, in, op.Orientation{A: true})
	}
	const rank = 8
	for _, s := range sizes {
		m, in, out := s[0], s[1], s[2]
		line("xA", m, in, rank, op.Orientation{B: true})
		line("hB", m, rank, out, op.Orientation{B: true})
		line("dyB", m, out, rank, op.Orientation{})
		line("dB", out, m, rank, op.Orientation{A: true})
		line("dA", rank, m, in, op.Orientation{A: true})
		line("dhA", m, rank, in, op.Orientation{})
	}
}

// noise gives numbers from 0.5 to 1, quickly.
type noise struct{}

var noiseBytes = func() []byte {
	p := make([]byte, 1<<20)
	for i := 0; i < len(p); i += 4 {
		binary.LittleEndian.PutUint32(p[i:], 0x3f000000|uint32(i)*2654435761>>9)
	}
	return p
}()

func (noise) Read(p []byte) (int, error) { return copy(p, noiseBytes), nil }

// timeGraph is the time of the only node of a program.
func (d *Device) timeGraph(ctx context.Context, g *ir.Graph, states map[string]device.Buffer) (time.Duration, error) {
	x, err := d.Compile(ctx, g)
	if err != nil {
		return 0, err
	}
	defer x.Close()
	if err := x.Bind(states); err != nil {
		return 0, err
	}
	times, err := x.(*exec).Profile(ctx, nil)
	if err != nil {
		return 0, err
	}
	return times[0].Time, nil
}
