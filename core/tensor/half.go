package tensor

import (
	"encoding/binary"
	"io"
	"math"
)

// BF16ToF32 widens a bfloat16; exact.
func BF16ToF32(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// F32ToBF16 rounds to the nearest bfloat16, ties to even, as PyTorch does; NaN stays NaN.
func F32ToBF16(f float32) uint16 {
	u := math.Float32bits(f)
	if f != f {
		return 0x7fc0
	}
	return uint16((u + 0x7fff + (u>>16)&1) >> 16)
}

// F16ToF32 widens an IEEE half; exact.
func F16ToF32(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp, frac := uint32(h>>10)&31, uint32(h&1023)
	switch exp {
	case 0: // zero and subnormals: frac × 2^-24
		f := float32(frac) * 0x1p-24
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// F32ToF16 rounds to the nearest IEEE half, ties to even; what is too large becomes infinite, NaN stays NaN.
func F32ToF16(f float32) uint16 {
	u := math.Float32bits(f)
	sign := uint16(u>>16) & 0x8000
	u &= 0x7fffffff
	switch {
	case u > 0x7f800000:
		return sign | 0x7e00
	case u >= 0x477ff000: // rounds to 2^16 or more
		return sign | 0x7c00
	case u < 0x38800000: // subnormal half: adding 0.5 leaves the rounded fraction in the low bits
		r := math.Float32bits(math.Float32frombits(u) + 0.5)
		return sign | uint16(r-0x3f000000)
	}
	u += 0xfff + (u>>13)&1
	return sign | uint16((u-0x38000000)>>13)
}

// Widen reads len(dst) little-endian elements of type F32, F16 or BF16 from raw; exact.
func Widen(dst []float32, raw []byte, t DType) {
	switch t {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = F16ToF32(binary.LittleEndian.Uint16(raw[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = BF16ToF32(binary.LittleEndian.Uint16(raw[2*i:]))
		}
	default:
		panic("tensor: Widen of type " + t.String())
	}
}

// WidenReader reads elements of type F32, F16 or BF16 from r as the bytes of float32, a piece at a time.
func WidenReader(r io.Reader, t DType) io.Reader { return &widener{r: r, t: t} }

type widener struct {
	r     io.Reader
	t     DType
	raw   [1 << 14]byte
	wide  [4 * (1 << 13)]byte
	f     [1 << 13]float32
	ready []byte // part of wide
	err   error  // of r; what it gave before is handed on first
}

func (w *widener) Read(p []byte) (int, error) {
	for len(w.ready) == 0 {
		if w.err != nil {
			return 0, w.err
		}
		size := w.t.Size()
		var n int
		n, w.err = io.ReadFull(w.r, w.raw[:min(len(w.raw), len(w.f)*size)])
		if w.err == io.ErrUnexpectedEOF && n%size == 0 {
			w.err = io.EOF
		}
		values := w.f[:n/size]
		Widen(values, w.raw[:], w.t)
		for i, v := range values {
			binary.LittleEndian.PutUint32(w.wide[4*i:], math.Float32bits(v))
		}
		w.ready = w.wide[:4*len(values)]
	}
	n := copy(p, w.ready)
	w.ready = w.ready[n:]
	return n, nil
}
