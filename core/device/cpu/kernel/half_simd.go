//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

func widenBF16AVX512(dst []float32, src []uint16) {
	n := len(dst) &^ 15
	for i := 0; i < n; i += 16 {
		archsimd.LoadUint16x16((*[16]uint16)(src[i : i+16])).ExtendToUint32().ShiftAllLeft(16).AsFloat32x16().Store((*[16]float32)(dst[i : i+16]))
	}
	archsimd.ClearAVXUpperBits()
	widenBF16Plain(dst[n:], src[n:])
}

func widenBF16AVX2(dst []float32, src []uint16) {
	n := len(dst) &^ 7
	for i := 0; i < n; i += 8 {
		archsimd.LoadUint16x8((*[8]uint16)(src[i : i+8])).ExtendToUint32().ShiftAllLeft(16).AsFloat32x8().Store((*[8]float32)(dst[i : i+8]))
	}
	archsimd.ClearAVXUpperBits()
	widenBF16Plain(dst[n:], src[n:])
}

// widenF16AVX512 moves exponent and fraction to their places and corrects the bias, twice for infinity and NaN. A number
// below the normal ones is its fraction times 2^-24.
func widenF16AVX512(dst []float32, src []uint16) {
	n := len(dst) &^ 15
	sign, bias := archsimd.BroadcastInt32x16(0x8000), archsimd.BroadcastInt32x16(0x38000000)
	largest, least, tiny := archsimd.BroadcastInt32x16(0x7bff), archsimd.BroadcastInt32x16(0x0400), archsimd.BroadcastFloat32x16(0x1p-24)
	for i := 0; i < n; i += 16 {
		u := archsimd.LoadUint16x16((*[16]uint16)(src[i : i+16])).ExtendToUint32().AsInt32x16()
		m := u.AndNot(sign)
		normal := m.ShiftAllLeft(13).Add(bias)
		special := normal.Add(bias)
		small := m.ConvertToFloat32().Mul(tiny).AsInt32x16()
		y := small.Merge(special.Merge(normal, m.Greater(largest)), m.Less(least))
		y.Or(u.And(sign).ShiftAllLeft(16)).AsFloat32x16().Store((*[16]float32)(dst[i : i+16]))
	}
	archsimd.ClearAVXUpperBits()
	widenF16Plain(dst[n:], src[n:])
}

func widenF16AVX2(dst []float32, src []uint16) {
	n := len(dst) &^ 7
	sign, bias := archsimd.BroadcastInt32x8(0x8000), archsimd.BroadcastInt32x8(0x38000000)
	largest, least, tiny := archsimd.BroadcastInt32x8(0x7bff), archsimd.BroadcastInt32x8(0x0400), archsimd.BroadcastFloat32x8(0x1p-24)
	for i := 0; i < n; i += 8 {
		u := archsimd.LoadUint16x8((*[8]uint16)(src[i : i+8])).ExtendToUint32().AsInt32x8()
		m := u.AndNot(sign)
		normal := m.ShiftAllLeft(13).Add(bias)
		special := normal.Add(bias)
		small := m.ConvertToFloat32().Mul(tiny).AsInt32x8()
		y := small.Merge(special.Merge(normal, m.Greater(largest)), least.Greater(m))
		y.Or(u.And(sign).ShiftAllLeft(16)).AsFloat32x8().Store((*[8]float32)(dst[i : i+8]))
	}
	archsimd.ClearAVXUpperBits()
	widenF16Plain(dst[n:], src[n:])
}
