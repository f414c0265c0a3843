package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"hone/core/tensor"
)

var halves = []struct {
	form   Half
	narrow func(float32) uint16
	widen  func(uint16) float32
}{{F16, tensor.F32ToF16, tensor.F16ToF32}, {BF16, tensor.F32ToBF16, tensor.BF16ToF32}}

// Every 16-bit number widens to its value: subnormal, infinite and NaN ones too, whatever the length of the slice.
func TestWiden(t *testing.T) {
	all := make([]uint16, 1<<16)
	for i := range all {
		all[i] = uint16(i)
	}
	eachISA(t, func(t *testing.T) {
		for _, h := range halves {
			for _, n := range []int{0, 1, 7, 8, 15, 16, 17, 33, 1 << 16} {
				for _, from := range []int{0, 3, 0x03f0, 0x7bf5, len(all) - n} {
					from = min(from, len(all)-n)
					got := poisoned(n + 1)
					Widen(got[:n], all[from:], h.form)
					for i, x := range got[:n] {
						if want := h.widen(all[from+i]); math.Float32bits(x) != math.Float32bits(want) {
							t.Fatalf("form %d: %#04x widens to %v (%#08x), want %v", h.form, all[from+i], x, math.Float32bits(x), want)
						}
					}
					if got[n] == got[n] {
						t.Fatalf("form %d: %d numbers and one more were written", h.form, n)
					}
				}
			}
		}
	})
}

// A product with a weight in 16 bits is that with the widened weight, bit for bit, whatever the layout.
func TestGemmHalf(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	eachISA(t, func(t *testing.T) {
		for _, h := range halves {
			for _, s := range append(products, product{8, 1100, 200, 1, false}, product{2, 70, 2100, 0.5, true}, product{7, 16, 33, 1, false}) {
				r := rand.New(rand.NewPCG(5, uint64(s.m*1000+s.n*10+s.k)))
				x, c0 := random(r, s.m*s.k), random(r, s.m*s.n)
				w16 := make([]uint16, s.k*s.n)
				w := make([]float32, len(w16))
				for i, v := range random(r, len(w16)) {
					w16[i] = h.narrow(v)
					w[i] = h.widen(w16[i])
				}
				pack := func(out, in int) ([]float32, []uint16) {
					wide, narrow := slices.Clone(w), slices.Clone(w16)
					PackInPlace(wide, out, in, nil)
					PackInPlace(narrow, out, in, nil)
					back := slices.Clone(narrow)
					if UnpackInPlace(back, out, in, nil); !slices.Equal(back, w16) {
						t.Fatalf("%d×%d: packed and unpacked again is another weight", out, in)
					}
					return wide, narrow
				}
				p32, p16 := pack(s.k, s.n)
				pt32, pt16 := pack(s.n, s.k)
				for name, pair := range map[string][2]B{
					"Weight":  {Weight(w, s.n), HalfWeight(w16, h.form, s.n)},
					"WeightT": {WeightT(w, s.k), HalfWeightT(w16, h.form, s.k)},
					"Panels":  {Panels(p32), HalfPanels(p16, h.form)},
					"PanelsT": {PanelsT(pt32), HalfPanelsT(pt16, h.form)},
				} {
					var results [2][]float32
					for i, b := range pair {
						results[i] = slices.Clone(c0)
						p.Gemm(s.m, s.n, s.k, s.alpha, Rows(x, s.k), b, results[i], s.n, s.add)
					}
					same(t, fmt.Sprintf("%v %s, form %d", s, name, h.form), results[1], results[0])
				}
			}
		}
	})
}
