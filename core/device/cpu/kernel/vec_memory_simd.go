//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

// Loops that memory bounds: wider vectors than these would not be faster.

func addSIMD(dst, x, y []float32) {
	n := len(dst) &^ 15
	for i := 0; i < n; i += 16 {
		a, b, d := (*[16]float32)(x[i:i+16]), (*[16]float32)(y[i:i+16]), (*[16]float32)(dst[i:i+16])
		lo := archsimd.LoadFloat32x8((*[8]float32)(a[:8])).Add(archsimd.LoadFloat32x8((*[8]float32)(b[:8])))
		hi := archsimd.LoadFloat32x8((*[8]float32)(a[8:])).Add(archsimd.LoadFloat32x8((*[8]float32)(b[8:])))
		lo.Store((*[8]float32)(d[:8]))
		hi.Store((*[8]float32)(d[8:]))
	}
	archsimd.ClearAVXUpperBits()
	addPlain(dst[n:], x[n:], y[n:])
}

func mulSIMD(dst, x []float32, alpha float32) {
	factor := spreadx8(alpha)
	n := len(dst) &^ 7
	for i := 0; i < n; i += 8 {
		archsimd.LoadFloat32x8((*[8]float32)(x[i : i+8])).Mul(archsimd.LoadFloat32x8(&factor)).Store((*[8]float32)(dst[i : i+8]))
	}
	archsimd.ClearAVXUpperBits()
	mulPlain(dst[n:], x[n:], factor[0])
}

// rotateSIMD rounds after every operation, as rotatePlain does.
func rotateSIMD(y, x, sin, cos []float32, sign float32) {
	half := len(sin)
	if half%8 != 0 {
		rotatePlain(y, x, sin, cos, sign)
		return
	}
	cos = cos[:half]
	turn := spreadx8(sign)
	for ; len(x) >= 2*half; x, y = x[2*half:], y[2*half:] {
		x0, x1, y0, y1 := x[:half], x[half:2*half], y[:half], y[half:2*half]
		for i := 0; i < half; i += 8 {
			s := archsimd.LoadFloat32x8((*[8]float32)(sin[i : i+8])).Mul(archsimd.LoadFloat32x8(&turn))
			c := archsimd.LoadFloat32x8((*[8]float32)(cos[i : i+8]))
			a, b := archsimd.LoadFloat32x8((*[8]float32)(x0[i:i+8])), archsimd.LoadFloat32x8((*[8]float32)(x1[i:i+8]))
			a.Mul(c).Sub(b.Mul(s)).Store((*[8]float32)(y0[i : i+8]))
			b.Mul(c).Add(a.Mul(s)).Store((*[8]float32)(y1[i : i+8]))
		}
	}
	archsimd.ClearAVXUpperBits()
}
