//go:build goexperiment.simd && amd64

package kernel

import (
	"simd/archsimd"
	"unsafe"
)

// The micro-kernels keep their sums in registers. What shapes the code is the Go compiler of 1.26: it uses 15 vector registers, its
// multiply-add overwrites a factor (so values used twice are copied, which costs no execution port), its broadcast
// takes a register (so elements of a are loaded four at a time and the first is spread), and it schedules loads early
// unless a loop is a single block; hence for with the test at its end. Pointers are advanced only when another
// step follows, so that none ever points past its slice. Every function ends by
// clearing the upper halves of the registers: scalar instructions after it would be slow otherwise.

// tile4x32 sets C (4×32) = alpha·A·B, or adds it. Rows of a, b and c are lda, ldb and ldc floats apart. It reads three
// floats past the k-th of each row of a. k is at least 1.
//
//go:nocheckptr
func tile4x32(k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int, alpha float32, add bool) {
	s := archsimd.BroadcastFloat32x16(alpha)
	var c00, c01, c10, c11, c20, c21, c30, c31 archsimd.Float32x16
	a0, pb := unsafe.Pointer(a), unsafe.Pointer(b)
	a1, a2, a3 := unsafe.Add(a0, 4*lda), unsafe.Add(a0, 8*lda), unsafe.Add(a0, 12*lda)
	step := 4 * ldb
	if k >= 4 {
		for {
			x0, y0 := archsimd.LoadFloat32x16((*[16]float32)(pb)), archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 64)))
			v00 := archsimd.LoadFloat32x4((*[4]float32)(a0)).Broadcast1To16()
			c00 = v00.MulAdd(x0, c00)
			c01 = v00.MulAdd(y0, c01)
			v10 := archsimd.LoadFloat32x4((*[4]float32)(a1)).Broadcast1To16()
			c10 = v10.MulAdd(x0, c10)
			c11 = v10.MulAdd(y0, c11)
			v20 := archsimd.LoadFloat32x4((*[4]float32)(a2)).Broadcast1To16()
			c20 = v20.MulAdd(x0, c20)
			c21 = v20.MulAdd(y0, c21)
			v30 := archsimd.LoadFloat32x4((*[4]float32)(a3)).Broadcast1To16()
			c30 = v30.MulAdd(x0, c30)
			c31 = v30.MulAdd(y0, c31)
			pb = unsafe.Add(pb, step)
			x1, y1 := archsimd.LoadFloat32x16((*[16]float32)(pb)), archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 64)))
			v01 := archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a0, 4))).Broadcast1To16()
			c00 = v01.MulAdd(x1, c00)
			c01 = v01.MulAdd(y1, c01)
			v11 := archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a1, 4))).Broadcast1To16()
			c10 = v11.MulAdd(x1, c10)
			c11 = v11.MulAdd(y1, c11)
			v21 := archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a2, 4))).Broadcast1To16()
			c20 = v21.MulAdd(x1, c20)
			c21 = v21.MulAdd(y1, c21)
			v31 := archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a3, 4))).Broadcast1To16()
			c30 = v31.MulAdd(x1, c30)
			c31 = v31.MulAdd(y1, c31)
			pb = unsafe.Add(pb, step)
			x2, y2 := archsimd.LoadFloat32x16((*[16]float32)(pb)), archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 64)))
			v02 := archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a0, 8))).Broadcast1To16()
			c00 = v02.MulAdd(x2, c00)
			c01 = v02.MulAdd(y2, c01)
			v12 := archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a1, 8))).Broadcast1To16()
			c10 = v12.MulAdd(x2, c10)
			c11 = v12.MulAdd(y2, c11)
			v22 := archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a2, 8))).Broadcast1To16()
			c20 = v22.MulAdd(x2, c20)
			c21 = v22.MulAdd(y2, c21)
			v32 := archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a3, 8))).Broadcast1To16()
			c30 = v32.MulAdd(x2, c30)
			c31 = v32.MulAdd(y2, c31)
			pb = unsafe.Add(pb, step)
			x3, y3 := archsimd.LoadFloat32x16((*[16]float32)(pb)), archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 64)))
			v03 := archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a0, 12))).Broadcast1To16()
			c00 = v03.MulAdd(x3, c00)
			c01 = v03.MulAdd(y3, c01)
			v13 := archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a1, 12))).Broadcast1To16()
			c10 = v13.MulAdd(x3, c10)
			c11 = v13.MulAdd(y3, c11)
			v23 := archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a2, 12))).Broadcast1To16()
			c20 = v23.MulAdd(x3, c20)
			c21 = v23.MulAdd(y3, c21)
			v33 := archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a3, 12))).Broadcast1To16()
			c30 = v33.MulAdd(x3, c30)
			c31 = v33.MulAdd(y3, c31)
			if k -= 4; k < 4 {
				break
			}
			a0, a1, a2, a3, pb = unsafe.Add(a0, 16), unsafe.Add(a1, 16), unsafe.Add(a2, 16), unsafe.Add(a3, 16), unsafe.Add(pb, step)
		}
		if k > 0 {
			a0, a1, a2, a3, pb = unsafe.Add(a0, 16), unsafe.Add(a1, 16), unsafe.Add(a2, 16), unsafe.Add(a3, 16), unsafe.Add(pb, step)
		}
	}
	if k > 0 {
		for {
			x, y := archsimd.LoadFloat32x16((*[16]float32)(pb)), archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 64)))
			v0 := archsimd.LoadFloat32x4((*[4]float32)(a0)).Broadcast1To16()
			c00 = v0.MulAdd(x, c00)
			c01 = v0.MulAdd(y, c01)
			v1 := archsimd.LoadFloat32x4((*[4]float32)(a1)).Broadcast1To16()
			c10 = v1.MulAdd(x, c10)
			c11 = v1.MulAdd(y, c11)
			v2 := archsimd.LoadFloat32x4((*[4]float32)(a2)).Broadcast1To16()
			c20 = v2.MulAdd(x, c20)
			c21 = v2.MulAdd(y, c21)
			v3 := archsimd.LoadFloat32x4((*[4]float32)(a3)).Broadcast1To16()
			c30 = v3.MulAdd(x, c30)
			c31 = v3.MulAdd(y, c31)
			if k--; k == 0 {
				break
			}
			a0, a1, a2, a3, pb = unsafe.Add(a0, 4), unsafe.Add(a1, 4), unsafe.Add(a2, 4), unsafe.Add(a3, 4), unsafe.Add(pb, step)
		}
	}
	r0 := unsafe.Pointer(c)
	r1, r2, r3 := unsafe.Add(r0, 4*ldc), unsafe.Add(r0, 8*ldc), unsafe.Add(r0, 12*ldc)
	if add {
		c00.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(r0))).Store((*[16]float32)(r0))
		c01.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(r0, 64)))).Store((*[16]float32)(unsafe.Add(r0, 64)))
		c10.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(r1))).Store((*[16]float32)(r1))
		c11.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(r1, 64)))).Store((*[16]float32)(unsafe.Add(r1, 64)))
		c20.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(r2))).Store((*[16]float32)(r2))
		c21.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(r2, 64)))).Store((*[16]float32)(unsafe.Add(r2, 64)))
		c30.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(r3))).Store((*[16]float32)(r3))
		c31.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(r3, 64)))).Store((*[16]float32)(unsafe.Add(r3, 64)))
	} else {
		c00.Mul(s).Store((*[16]float32)(r0))
		c01.Mul(s).Store((*[16]float32)(unsafe.Add(r0, 64)))
		c10.Mul(s).Store((*[16]float32)(r1))
		c11.Mul(s).Store((*[16]float32)(unsafe.Add(r1, 64)))
		c20.Mul(s).Store((*[16]float32)(r2))
		c21.Mul(s).Store((*[16]float32)(unsafe.Add(r2, 64)))
		c30.Mul(s).Store((*[16]float32)(r3))
		c31.Mul(s).Store((*[16]float32)(unsafe.Add(r3, 64)))
	}
	archsimd.ClearAVXUpperBits()
}
