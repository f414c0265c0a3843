//go:build goexperiment.simd && amd64

package kernel

import (
	"simd/archsimd"
	"unsafe"
)

// spreadStrip writes every element of stripRows×k of A sixteen times: dst[(t*stripRows+r)*16 …] = a[r*rs+t*cs].
// It reads three floats past each element.
//
//go:nocheckptr
func spreadStrip(dst []float32, a *float32, rs, cs, k int) {
	mustHave("strip", len(dst), k*stripRows*16)
	a0, d0 := unsafe.Pointer(a), unsafe.Pointer(&dst[0])
	a1, a2, a3, a4 := unsafe.Add(a0, 4*rs), unsafe.Add(a0, 8*rs), unsafe.Add(a0, 12*rs), unsafe.Add(a0, 16*rs)
	at, dt := 0, 0
	for range k {
		d := unsafe.Add(d0, dt)
		archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a0, at))).Broadcast1To16().Store((*[16]float32)(d))
		archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a1, at))).Broadcast1To16().Store((*[16]float32)(unsafe.Add(d, 64)))
		archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a2, at))).Broadcast1To16().Store((*[16]float32)(unsafe.Add(d, 128)))
		archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a3, at))).Broadcast1To16().Store((*[16]float32)(unsafe.Add(d, 192)))
		archsimd.LoadFloat32x4((*[4]float32)(unsafe.Add(a4, at))).Broadcast1To16().Store((*[16]float32)(unsafe.Add(d, 256)))
		at += 4 * cs
		dt += 320
	}
	archsimd.ClearAVXUpperBits()
}

// stripMulAVX512 is loops.stripMul.
func stripMulAVX512(tmp []float32, rows, k int, strip, b, c []float32, ldc, w int, alpha float32, add bool) {
	checkPanel(rows, k, strip, 0, b, PanelWidth, c, ldc, w)
	mustHave("strip", len(strip), k*stripRows*16)
	if rows == stripRows && w == PanelWidth {
		tile5x32(k, &strip[0], &b[0], &c[0], ldc, alpha, add)
		return
	}
	tile := tmp[:stripRows*PanelWidth]
	tile5x32(k, &strip[0], &b[0], &tile[0], PanelWidth, alpha, false)
	storeTile(tile, c, ldc, rows, w, add)
}

// stripAVX512 is loops.strip. Rows that A does not have repeat its last.
func stripAVX512(tmp, dst, a []float32, rs, cs, rows, k int) {
	mustHave("A of a strip", len(a), (rows-1)*rs+(k-1)*cs+1)
	if rows == stripRows && (rows-1)*rs+(k-1)*cs+4 <= len(a) {
		spreadStrip(dst, &a[0], rs, cs, k)
		return
	}
	edge := tmp[:stripRows*k+4]
	for r := range stripRows {
		from := min(r, rows-1) * rs
		for t := range k {
			edge[r*k+t] = a[from+t*cs]
		}
	}
	clear(edge[stripRows*k:])
	spreadStrip(dst, &edge[0], k, 1, k)
}

// tile5x32 sets C (5×32) = alpha·A·B, or adds it, from A spread by spreadStrip. Loads of A take the place of broadcasts, which share
// an execution port with the multiply-adds; k is at least 1.
//
//go:nocheckptr
func tile5x32(k int, a, b, c *float32, ldc int, alpha float32, add bool) {
	s := archsimd.BroadcastFloat32x16(alpha)
	var c00, c01, c10, c11, c20, c21, c30, c31, c40, c41 archsimd.Float32x16
	pa, pb := unsafe.Pointer(a), unsafe.Pointer(b)
	if k >= 8 {
		for {
			x0 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 0)))
			y0 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 64)))
			c00 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 0))).MulAdd(x0, c00)
			c01 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 0))).MulAdd(y0, c01)
			c10 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 64))).MulAdd(x0, c10)
			c11 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 64))).MulAdd(y0, c11)
			c20 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 128))).MulAdd(x0, c20)
			c21 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 128))).MulAdd(y0, c21)
			c30 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 192))).MulAdd(x0, c30)
			c31 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 192))).MulAdd(y0, c31)
			c40 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 256))).MulAdd(x0, c40)
			c41 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 256))).MulAdd(y0, c41)
			x1 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 128)))
			y1 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 192)))
			c00 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 320))).MulAdd(x1, c00)
			c01 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 320))).MulAdd(y1, c01)
			c10 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 384))).MulAdd(x1, c10)
			c11 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 384))).MulAdd(y1, c11)
			c20 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 448))).MulAdd(x1, c20)
			c21 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 448))).MulAdd(y1, c21)
			c30 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 512))).MulAdd(x1, c30)
			c31 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 512))).MulAdd(y1, c31)
			c40 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 576))).MulAdd(x1, c40)
			c41 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 576))).MulAdd(y1, c41)
			x2 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 256)))
			y2 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 320)))
			c00 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 640))).MulAdd(x2, c00)
			c01 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 640))).MulAdd(y2, c01)
			c10 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 704))).MulAdd(x2, c10)
			c11 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 704))).MulAdd(y2, c11)
			c20 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 768))).MulAdd(x2, c20)
			c21 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 768))).MulAdd(y2, c21)
			c30 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 832))).MulAdd(x2, c30)
			c31 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 832))).MulAdd(y2, c31)
			c40 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 896))).MulAdd(x2, c40)
			c41 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 896))).MulAdd(y2, c41)
			x3 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 384)))
			y3 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 448)))
			c00 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 960))).MulAdd(x3, c00)
			c01 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 960))).MulAdd(y3, c01)
			c10 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1024))).MulAdd(x3, c10)
			c11 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1024))).MulAdd(y3, c11)
			c20 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1088))).MulAdd(x3, c20)
			c21 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1088))).MulAdd(y3, c21)
			c30 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1152))).MulAdd(x3, c30)
			c31 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1152))).MulAdd(y3, c31)
			c40 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1216))).MulAdd(x3, c40)
			c41 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1216))).MulAdd(y3, c41)
			x4 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 512)))
			y4 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 576)))
			c00 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1280))).MulAdd(x4, c00)
			c01 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1280))).MulAdd(y4, c01)
			c10 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1344))).MulAdd(x4, c10)
			c11 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1344))).MulAdd(y4, c11)
			c20 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1408))).MulAdd(x4, c20)
			c21 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1408))).MulAdd(y4, c21)
			c30 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1472))).MulAdd(x4, c30)
			c31 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1472))).MulAdd(y4, c31)
			c40 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1536))).MulAdd(x4, c40)
			c41 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1536))).MulAdd(y4, c41)
			x5 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 640)))
			y5 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 704)))
			c00 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1600))).MulAdd(x5, c00)
			c01 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1600))).MulAdd(y5, c01)
			c10 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1664))).MulAdd(x5, c10)
			c11 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1664))).MulAdd(y5, c11)
			c20 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1728))).MulAdd(x5, c20)
			c21 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1728))).MulAdd(y5, c21)
			c30 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1792))).MulAdd(x5, c30)
			c31 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1792))).MulAdd(y5, c31)
			c40 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1856))).MulAdd(x5, c40)
			c41 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1856))).MulAdd(y5, c41)
			x6 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 768)))
			y6 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 832)))
			c00 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1920))).MulAdd(x6, c00)
			c01 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1920))).MulAdd(y6, c01)
			c10 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1984))).MulAdd(x6, c10)
			c11 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 1984))).MulAdd(y6, c11)
			c20 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2048))).MulAdd(x6, c20)
			c21 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2048))).MulAdd(y6, c21)
			c30 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2112))).MulAdd(x6, c30)
			c31 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2112))).MulAdd(y6, c31)
			c40 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2176))).MulAdd(x6, c40)
			c41 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2176))).MulAdd(y6, c41)
			x7 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 896)))
			y7 := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 960)))
			c00 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2240))).MulAdd(x7, c00)
			c01 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2240))).MulAdd(y7, c01)
			c10 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2304))).MulAdd(x7, c10)
			c11 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2304))).MulAdd(y7, c11)
			c20 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2368))).MulAdd(x7, c20)
			c21 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2368))).MulAdd(y7, c21)
			c30 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2432))).MulAdd(x7, c30)
			c31 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2432))).MulAdd(y7, c31)
			c40 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2496))).MulAdd(x7, c40)
			c41 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 2496))).MulAdd(y7, c41)
			if k -= 8; k < 8 {
				break
			}
			pa, pb = unsafe.Add(pa, 2560), unsafe.Add(pb, 1024)
		}
		if k > 0 {
			pa, pb = unsafe.Add(pa, 2560), unsafe.Add(pb, 1024)
		}
	}
	if k > 0 {
		for {
			x := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 0)))
			y := archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pb, 64)))
			c00 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 0))).MulAdd(x, c00)
			c01 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 0))).MulAdd(y, c01)
			c10 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 64))).MulAdd(x, c10)
			c11 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 64))).MulAdd(y, c11)
			c20 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 128))).MulAdd(x, c20)
			c21 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 128))).MulAdd(y, c21)
			c30 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 192))).MulAdd(x, c30)
			c31 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 192))).MulAdd(y, c31)
			c40 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 256))).MulAdd(x, c40)
			c41 = archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(pa, 256))).MulAdd(y, c41)
			if k--; k == 0 {
				break
			}
			pa, pb = unsafe.Add(pa, 320), unsafe.Add(pb, 128)
		}
	}
	r0 := unsafe.Pointer(c)
	r1, r2, r3, r4 := unsafe.Add(r0, 4*ldc), unsafe.Add(r0, 8*ldc), unsafe.Add(r0, 12*ldc), unsafe.Add(r0, 16*ldc)
	if add {
		c00.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(r0))).Store((*[16]float32)(r0))
		c01.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(r0, 64)))).Store((*[16]float32)(unsafe.Add(r0, 64)))
		c10.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(r1))).Store((*[16]float32)(r1))
		c11.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(r1, 64)))).Store((*[16]float32)(unsafe.Add(r1, 64)))
		c20.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(r2))).Store((*[16]float32)(r2))
		c21.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(r2, 64)))).Store((*[16]float32)(unsafe.Add(r2, 64)))
		c30.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(r3))).Store((*[16]float32)(r3))
		c31.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(r3, 64)))).Store((*[16]float32)(unsafe.Add(r3, 64)))
		c40.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(r4))).Store((*[16]float32)(r4))
		c41.MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(unsafe.Add(r4, 64)))).Store((*[16]float32)(unsafe.Add(r4, 64)))
	} else {
		c00.Mul(s).Store((*[16]float32)(r0))
		c01.Mul(s).Store((*[16]float32)(unsafe.Add(r0, 64)))
		c10.Mul(s).Store((*[16]float32)(r1))
		c11.Mul(s).Store((*[16]float32)(unsafe.Add(r1, 64)))
		c20.Mul(s).Store((*[16]float32)(r2))
		c21.Mul(s).Store((*[16]float32)(unsafe.Add(r2, 64)))
		c30.Mul(s).Store((*[16]float32)(r3))
		c31.Mul(s).Store((*[16]float32)(unsafe.Add(r3, 64)))
		c40.Mul(s).Store((*[16]float32)(r4))
		c41.Mul(s).Store((*[16]float32)(unsafe.Add(r4, 64)))
	}
	archsimd.ClearAVXUpperBits()
}
