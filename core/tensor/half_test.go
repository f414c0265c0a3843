package tensor

import (
	"math"
	"testing"
)

// Every half widens and rounds back to itself, and every float between two neighbours goes to the nearer one.
func TestHalfRoundTrip(t *testing.T) {
	for i := 0; i < 1<<16; i++ {
		h := uint16(i)
		f := F16ToF32(h)
		if f != f {
			if g := F16ToF32(F32ToF16(f)); g == g {
				t.Fatalf("half %#04x: NaN became %v", h, g)
			}
		} else if got := F32ToF16(f); got != h {
			t.Fatalf("half %#04x widens to %v and comes back as %#04x", h, f, got)
		}
		b := BF16ToF32(h)
		if b == b && F32ToBF16(b) != h {
			t.Fatalf("bfloat16 %#04x widens to %v and comes back as %#04x", h, b, F32ToBF16(b))
		}
	}
	for i := 0; i < 0x7bff; i++ {
		lo, hi := F16ToF32(uint16(i)), F16ToF32(uint16(i+1))
		mid := (lo + hi) / 2
		even := uint16(i + i&1)
		if got := F32ToF16(mid); got != even {
			t.Fatalf("midpoint %v of halves %#04x and its successor: got %#04x, want the even one %#04x", mid, i, got, even)
		}
		if got := F32ToF16(math.Nextafter32(mid, 0)); got != uint16(i) {
			t.Fatalf("just below midpoint %v: got %#04x, want %#04x", mid, got, i)
		}
	}
}

func TestBF16TiesToEven(t *testing.T) {
	for _, c := range []struct {
		bits uint32
		want uint16
	}{{0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81}, {0x7f7fffff, 0x7f80}} {
		if got := F32ToBF16(math.Float32frombits(c.bits)); got != c.want {
			t.Errorf("%#08x rounds to %#04x, want %#04x", c.bits, got, c.want)
		}
	}
}

func TestTypeBytes(t *testing.T) {
	if got := Of(NF4, 4096, 4096).Bytes(); float64(got)*8/(4096*4096) > 4.1272 {
		t.Errorf("NF4 takes %.4f bits a parameter, want 4.127", float64(got)*8/(4096*4096))
	}
	if got := Of(BF16, 3, 5).Bytes(); got != 30 {
		t.Errorf("BF16 3×5 takes %d bytes, want 30", got)
	}
}
