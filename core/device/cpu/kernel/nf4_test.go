package kernel

import (
	"math/rand/v2"
	"testing"
)

func TestDecodeNF4(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(10, 1))
		const n = 700
		table := [16]float32(random(r, 16))
		scales, codes := random(r, n/NF4Block+1), make([]byte, n/2)
		want := make([]float32, n)
		for i := range codes {
			codes[i] = byte(r.Uint32())
			want[2*i] = table[codes[i]>>4] * scales[2*i/NF4Block]
			want[2*i+1] = table[codes[i]&15] * scales[(2*i+1)/NF4Block]
		}
		for _, from := range []int{0, 1, 2, 31, 32, 33, 63, 64, 65, 128, 500} {
			for _, length := range []int{0, 1, 2, 31, 32, 33, 64, 65, 100, 128, 200} {
				got := poisoned(length)
				DecodeNF4(got, codes, from, scales[from/NF4Block:], &table)
				same(t, "decoded", got, want[from:from+length])
			}
		}
	})
}
