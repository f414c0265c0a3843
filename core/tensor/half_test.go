package tensor

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"testing"
	"testing/iotest"
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

// WidenReader gives the bytes of the widened values, whatever the size of the reads and wherever its pieces end.
func TestWidenReader(t *testing.T) {
	for _, n := range []int{0, 1, 3, 1 << 12, 1<<13 - 1, 1 << 13, 1<<13 + 1, 30000} {
		for _, d := range []DType{F32, F16, BF16} {
			value := func(i int) float32 { return BF16ToF32(uint16(0x3c00 + i%900)) }
			var raw []byte
			for i := range n {
				switch v := value(i); d {
				case F32:
					raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
				case F16:
					raw = binary.LittleEndian.AppendUint16(raw, F32ToF16(v))
				case BF16:
					raw = binary.LittleEndian.AppendUint16(raw, F32ToBF16(v))
				}
			}
			got, err := io.ReadAll(iotest.OneByteReader(WidenReader(bytes.NewReader(raw), d)))
			if err != nil || len(got) != 4*n {
				t.Fatalf("%v: %d bytes of %d elements, error %v", d, len(got), n, err)
			}
			for i := range n {
				if x := math.Float32frombits(binary.LittleEndian.Uint32(got[4*i:])); x != value(i) {
					t.Fatalf("%v: element %d of %d is %v, want %v", d, i, n, x, value(i))
				}
			}
			if n > 0 {
				got, err = io.ReadAll(WidenReader(bytes.NewReader(raw[:len(raw)-1]), d))
				if err != io.ErrUnexpectedEOF || len(got) != 4*(n-1) {
					t.Fatalf("%v: %d of %d elements and a cut one give %d bytes, error %v", d, n-1, n, len(got), err)
				}
			}
		}
	}
}
