//go:build goexperiment.simd && amd64

package kernel

import (
	"simd/archsimd"
	"unsafe"
)

// tile8x16 sets C (8×16, rows 16 apart) = A·B, for panels of which no more than half the columns count: heads of few elements,
// adapters of low rank. Rows of a and b are lda and ldb floats apart; it reads three floats past the k-th of each row of a.
//
//go:nocheckptr
func tile8x16(k int, a *float32, lda int, b *float32, ldb int, c *[8 * 16]float32) {
	var c0, c1, c2, c3, c4, c5, c6, c7 archsimd.Float32x16
	s1, s2, s3, step := 4*lda, 8*lda, 12*lda, 4*ldb
	a0, pb := unsafe.Pointer(a), unsafe.Pointer(b)
	a4 := unsafe.Add(a0, 16*lda)
	if k >= 2 {
		for {
			x0 := archsimd.LoadFloat32x16((*[16]float32)(pb))
			c0 = archsimd.LoadFloat32x4((*[4]float32)(a0)).Broadcast1To16().MulAdd(x0, c0)
			c1 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a0, s1))).Broadcast1To16().MulAdd(x0, c1)
			c2 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a0, s2))).Broadcast1To16().MulAdd(x0, c2)
			c3 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a0, s3))).Broadcast1To16().MulAdd(x0, c3)
			c4 = archsimd.LoadFloat32x4((*[4]float32)(a4)).Broadcast1To16().MulAdd(x0, c4)
			c5 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a4, s1))).Broadcast1To16().MulAdd(x0, c5)
			c6 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a4, s2))).Broadcast1To16().MulAdd(x0, c6)
			c7 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a4, s3))).Broadcast1To16().MulAdd(x0, c7)
			x1 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, step)))
			c0 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a0, 4))).Broadcast1To16().MulAdd(x1, c0)
			c1 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a0, s1+4))).Broadcast1To16().MulAdd(x1, c1)
			c2 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a0, s2+4))).Broadcast1To16().MulAdd(x1, c2)
			c3 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a0, s3+4))).Broadcast1To16().MulAdd(x1, c3)
			c4 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a4, 4))).Broadcast1To16().MulAdd(x1, c4)
			c5 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a4, s1+4))).Broadcast1To16().MulAdd(x1, c5)
			c6 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a4, s2+4))).Broadcast1To16().MulAdd(x1, c6)
			c7 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a4, s3+4))).Broadcast1To16().MulAdd(x1, c7)
			if k -= 2; k < 2 {
				break
			}
			a0, a4, pb = unsafe.Add(a0, 8), unsafe.Add(a4, 8), unsafe.Add(pb, 2*step)
		}
		if k > 0 {
			a0, a4, pb = unsafe.Add(a0, 8), unsafe.Add(a4, 8), unsafe.Add(pb, 2*step)
		}
	}
	if k > 0 {
		x0 := archsimd.LoadFloat32x16((*[16]float32)(pb))
		c0 = archsimd.LoadFloat32x4((*[4]float32)(a0)).Broadcast1To16().MulAdd(x0, c0)
		c1 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a0, s1))).Broadcast1To16().MulAdd(x0, c1)
		c2 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a0, s2))).Broadcast1To16().MulAdd(x0, c2)
		c3 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a0, s3))).Broadcast1To16().MulAdd(x0, c3)
		c4 = archsimd.LoadFloat32x4((*[4]float32)(a4)).Broadcast1To16().MulAdd(x0, c4)
		c5 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a4, s1))).Broadcast1To16().MulAdd(x0, c5)
		c6 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a4, s2))).Broadcast1To16().MulAdd(x0, c6)
		c7 = archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a4, s3))).Broadcast1To16().MulAdd(x0, c7)
	}
	c0.Store((*[16]float32)(c[0:16]))
	c1.Store((*[16]float32)(c[16:32]))
	c2.Store((*[16]float32)(c[32:48]))
	c3.Store((*[16]float32)(c[48:64]))
	c4.Store((*[16]float32)(c[64:80]))
	c5.Store((*[16]float32)(c[80:96]))
	c6.Store((*[16]float32)(c[96:112]))
	c7.Store((*[16]float32)(c[112:128]))
	archsimd.ClearAVXUpperBits()
}

// panelMulHalf is panelMulAVX512 for at most 16 columns.
func panelMulHalf(tmp []float32, m, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc, w int, alpha float32, add bool) {
	i := 0
	tile := (*[8 * 16]float32)(tmp)
	for ; i+8 <= m && (i+7)*lda+k+3 <= len(a); i += 8 {
		tile8x16(k, &a[i*lda], lda, &b[0], ldb, tile)
		for r := range 8 {
			dst, src := c[(i+r)*ldc:][:w], tile[16*r:][:w]
			if add {
				for j, v := range src {
					dst[j] += alpha * v
				}
			} else {
				for j, v := range src {
					dst[j] = alpha * v
				}
			}
		}
	}
	panelMulAVX512Tail(tmp, i, m, k, a, lda, b, ldb, c, ldc, w, alpha, add)
}
