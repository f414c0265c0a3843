package rng

import (
	"math"
	"testing"
)

// The known answers of the Random123 distribution for philox4x32 with 10 rounds.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		key   Key
		index uint64
		want  [4]uint32
	}{
		{Key{0, 0}, 0, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{Key{math.MaxUint64, math.MaxUint64}, math.MaxUint64, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{Key{0x299f31d0a4093822, 0x0370734413198a2e}, 0x85a308d3243f6a88, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := c.key.Block(c.index); got != c.want {
			t.Errorf("key %x index %x: %08x, want %08x", c.key, c.index, got, c.want)
		}
	}
}

func TestMoments(t *testing.T) {
	k := NewKey(7, Init, 3)
	const n = 100000
	var sum, sq, uni float64
	for i := range uint64(n) {
		x := k.Normal(i)
		sum, sq, uni = sum+x, sq+x*x, uni+float64(k.Uniform(i))
	}
	if m := sum / n; math.Abs(m) > 0.02 {
		t.Errorf("mean of the normal stream is %v", m)
	}
	if v := sq / n; math.Abs(v-1) > 0.03 {
		t.Errorf("variance of the normal stream is %v", v)
	}
	if m := uni / n; math.Abs(m-0.5) > 0.01 {
		t.Errorf("mean of the uniform stream is %v", m)
	}
}

func TestPermutationIsOneAndKeyed(t *testing.T) {
	a, b := NewKey(1, Shuffle, 0).Permutation(1000), NewKey(1, Shuffle, 1).Permutation(1000)
	seen := make([]bool, 1000)
	same := 0
	for i, x := range a {
		if seen[x] {
			t.Fatalf("%d stands twice in the permutation", x)
		}
		seen[x] = true
		if b[i] == x {
			same++
		}
	}
	if same > 20 {
		t.Errorf("permutations of two epochs agree in %d of 1000 places", same)
	}
}
