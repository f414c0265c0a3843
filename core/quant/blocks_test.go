package quant

import (
	"math"
	"testing"

	"hone/core/rng"
)

// A code is the nearest of its block's values, so no value is off by more than half a step and the scale's own rounding.
func TestGGMLBlocksRoundTrip(t *testing.T) {
	key := rng.NewKey(3, rng.Init, 0)
	for _, deviation := range []float64{0, 1e-3, 1, 300} {
		x := make([]float32, 8*GGMLBlock)
		for i := range x {
			x[i] = float32(deviation * key.Normal(uint64(i)))
		}
		for name, c := range map[string]struct {
			to    func([]byte, []float32) []byte
			from  func([]float32, []byte)
			bytes int
			steps float64 // between zero and the largest magnitude
		}{"Q8_0": {AppendQ8_0, FromQ8_0, Q8_0Bytes, 127}, "Q4_0": {AppendQ4_0, FromQ4_0, Q4_0Bytes, 8}} {
			packed := c.to(nil, x)
			if want := len(x) / GGMLBlock * c.bytes; len(packed) != want {
				t.Fatalf("%s: %d bytes, want %d", name, len(packed), want)
			}
			y := make([]float32, len(x))
			c.from(y, packed)
			for at := 0; at < len(x); at += GGMLBlock {
				absmax := 0.0
				for _, v := range x[at:][:GGMLBlock] {
					absmax = max(absmax, math.Abs(float64(v)))
				}
				// On the side without the extreme, Q4_0 has one code fewer: the last step can be a whole one.
				allowed := absmax/c.steps*(0.5+0.5*btof(name == "Q4_0")) + absmax/1000
				for i := range GGMLBlock {
					if diff := math.Abs(float64(x[at+i] - y[at+i])); !(diff <= allowed) {
						t.Fatalf("%s: value %d is %v and comes back as %v; %v is allowed", name, at+i, x[at+i], y[at+i], allowed)
					}
				}
			}
		}
	}
}

func btof(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// The layout of a block, by hand: the scale as half, then the codes.
func TestGGMLBlocksLayout(t *testing.T) {
	x := make([]float32, GGMLBlock)
	x[0], x[1], x[16], x[17] = -8, 7, 1, -3 // d is 1: -8 has the code 0, 7 the code 15
	q4 := AppendQ4_0(nil, x)
	if q4[0] != 0 || q4[1] != 0x3c || q4[2] != 0|9<<4 || q4[3] != 15|5<<4 || q4[4] != 8|8<<4 {
		t.Errorf("Q4_0 block starts with % x", q4[:5])
	}
	x[0] = 127
	q8 := AppendQ8_0(nil, x)
	if q8[0] != 0 || q8[1] != 0x3c || int8(q8[2]) != 127 || int8(q8[3]) != 7 || int8(q8[2+17]) != -3 {
		t.Errorf("Q8_0 block starts with % x", q8[:4])
	}
}
