//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

// transposeSIMD moves squares of 8×8 through registers and the rest one by one.
func transposeSIMD(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	r8, c8 := rows&^7, cols&^7
	for r := 0; r < r8; r += 8 {
		for c := 0; c < c8; c += 8 {
			transpose8x8(dst[c*ldd+r:], ldd, src[r*lds+c:], lds)
		}
	}
	archsimd.ClearAVXUpperBits()
	if c8 < cols && rows > 0 {
		transposePlain(dst[c8*ldd:], ldd, src[c8:], lds, rows, cols-c8)
	}
	if r8 < rows && c8 > 0 {
		transposePlain(dst[r8:], ldd, src[r8*lds:], lds, rows-r8, c8)
	}
}

func transpose8x8(dst []float32, ldd int, src []float32, lds int) {
	load := func(r int) archsimd.Int32x8 {
		return archsimd.LoadFloat32x8((*[8]float32)(src[r*lds : r*lds+8])).AsInt32x8()
	}
	r0, r1, r2, r3 := load(0), load(1), load(2), load(3)
	a0, a1 := r0.InterleaveLoGrouped(r1).AsInt64x4(), r0.InterleaveHiGrouped(r1).AsInt64x4()
	a2, a3 := r2.InterleaveLoGrouped(r3).AsInt64x4(), r2.InterleaveHiGrouped(r3).AsInt64x4()
	// u0 … u3: the columns 0 … 3 of rows 0 … 3 in the lower half, the columns 4 … 7 in the upper.
	u0, u1 := a0.InterleaveLoGrouped(a2).AsFloat32x8(), a0.InterleaveHiGrouped(a2).AsFloat32x8()
	u2, u3 := a1.InterleaveLoGrouped(a3).AsFloat32x8(), a1.InterleaveHiGrouped(a3).AsFloat32x8()
	r0, r1, r2, r3 = load(4), load(5), load(6), load(7)
	a0, a1 = r0.InterleaveLoGrouped(r1).AsInt64x4(), r0.InterleaveHiGrouped(r1).AsInt64x4()
	a2, a3 = r2.InterleaveLoGrouped(r3).AsInt64x4(), r2.InterleaveHiGrouped(r3).AsInt64x4()
	v0, v1 := a0.InterleaveLoGrouped(a2).AsFloat32x8(), a0.InterleaveHiGrouped(a2).AsFloat32x8()
	v2, v3 := a1.InterleaveLoGrouped(a3).AsFloat32x8(), a1.InterleaveHiGrouped(a3).AsFloat32x8()
	store := func(c int, x archsimd.Float32x8) { x.Store((*[8]float32)(dst[c*ldd : c*ldd+8])) }
	store(0, u0.Select128FromPair(0, 2, v0))
	store(1, u1.Select128FromPair(0, 2, v1))
	store(2, u2.Select128FromPair(0, 2, v2))
	store(3, u3.Select128FromPair(0, 2, v3))
	store(4, u0.Select128FromPair(1, 3, v0))
	store(5, u1.Select128FromPair(1, 3, v1))
	store(6, u2.Select128FromPair(1, 3, v2))
	store(7, u3.Select128FromPair(1, 3, v3))
}
