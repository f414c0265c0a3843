package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"hone/core/rng"
)

// The mask is word for word the one that rng draws, whatever the place, the length and the instruction set.
func TestDropout(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 9))
		for _, p := range []float64{0, 0.05, 0.3, 0.5, 1.0 / 3, 0.999, 1 - 0x1p-30} {
			for _, first := range []uint64{0, 1, 2, 3, 4, 7, 3 << 40, 3<<40 + 5, 1<<34 - 9, 1<<34 - 18, 1 << 63} {
				key := rng.Key{Seed: r.Uint64(), Step: r.Uint64()}
				for _, n := range vecSizes {
					if n > 200 {
						continue
					}
					x := random(r, n)
					if n > 2 {
						x[n/2] = float32(math.Inf(1))
					}
					want := make([]float32, n)
					for i, v := range x {
						if float64(key.Uint32(first+uint64(i))>>8)*0x1p-24 >= p {
							want[i] = v * float32(1/(1-p))
						}
					}
					got := poisoned(n)
					Dropout(got, x, key, first, p)
					same(t, "dropout", got, want)
					Dropout(x, x, key, first, p)
					same(t, "dropout in place", x, want)
				}
			}
		}
	})
}
