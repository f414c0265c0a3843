//go:build goexperiment.simd && amd64

package kernel

import (
	"simd/archsimd"
	"unsafe"
)

// dotsAVX512 is loops.dots. What is left of a row after whole groups of terms is added one by one.
func dotsAVX512(m, k int, a []float32, lda int, b []float32, n int, c []float32, ci, cj int, alpha float32, add bool) {
	mustHave("A of dots", len(a), (m-1)*lda+k)
	mustHave("B of dots", len(b), (k+dotLanes-1)/dotLanes*dotLanes*narrowCols)
	steps := k / dotLanes
	var sums [narrowCols]float32
	for i := range m {
		row := a[i*lda : i*lda+k]
		clear(sums[:])
		if steps > 0 {
			dot8AVX512(steps, &row[0], &b[0], &sums)
		}
		for t := steps * dotLanes; t < k; t++ {
			for j := range sums {
				sums[j] += row[t] * b[steps*dotLanes*narrowCols+j*dotLanes+t%dotLanes]
			}
		}
		for j := range n {
			v := alpha * sums[j]
			if at := &c[i*ci+j*cj]; add {
				*at += v
			} else {
				*at = v
			}
		}
	}
}

// dot8AVX512 multiplies one row with narrowCols interleaved columns, dotLanes terms a step. steps is at least 1.
//
//go:nocheckptr
func dot8AVX512(steps int, a, b *float32, sums *[narrowCols]float32) {
	var s0, s1, s2, s3, s4, s5, s6, s7 archsimd.Float32x16
	pa, pb := unsafe.Pointer(a), unsafe.Pointer(b)
	for {
		x := archsimd.LoadFloat32x16((*[16]float32)(pa))
		s0 = archsimd.LoadFloat32x16((*[16]float32)(pb)).MulAdd(x, s0)
		s1 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 64))).MulAdd(x, s1)
		s2 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 128))).MulAdd(x, s2)
		s3 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 192))).MulAdd(x, s3)
		s4 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 256))).MulAdd(x, s4)
		s5 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 320))).MulAdd(x, s5)
		s6 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 384))).MulAdd(x, s6)
		s7 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 448))).MulAdd(x, s7)
		if steps--; steps == 0 {
			break
		}
		pa, pb = unsafe.Add(pa, 64), unsafe.Add(pb, 512)
	}
	p0 := s0.GetLo().Add(s0.GetHi()).AddPairsGrouped(s1.GetLo().Add(s1.GetHi()))
	p1 := s2.GetLo().Add(s2.GetHi()).AddPairsGrouped(s3.GetLo().Add(s3.GetHi()))
	p2 := s4.GetLo().Add(s4.GetHi()).AddPairsGrouped(s5.GetLo().Add(s5.GetHi()))
	p3 := s6.GetLo().Add(s6.GetHi()).AddPairsGrouped(s7.GetLo().Add(s7.GetHi()))
	q0, q1 := p0.AddPairsGrouped(p1), p2.AddPairsGrouped(p3)
	q0.GetLo().Add(q0.GetHi()).Store((*[4]float32)(sums[:4]))
	q1.GetLo().Add(q1.GetHi()).Store((*[4]float32)(sums[4:]))
	archsimd.ClearAVXUpperBits()
}
