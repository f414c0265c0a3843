//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

// gelux16 holds the constants of gelu, spread over all lanes.
var gelux16 = struct {
	a, b, b3, far, d, z, half, limit [16]float32
	erfc                             [10][16]float32
}{
	spreadx16(geluA), spreadx16(geluB), spreadx16(3 * geluB), spreadx16(geluX * geluX), spreadx16(geluD), spreadx16(geluZ), spreadx16(0.5), spreadx16(geluX),
	[10][16]float32{spreadx16(erfc9), spreadx16(erfc8), spreadx16(erfc7), spreadx16(erfc6), spreadx16(erfc5), spreadx16(erfc4), spreadx16(erfc3), spreadx16(erfc2), spreadx16(erfc1), spreadx16(erfc0)},
}

// normalx16 is normalOf in every lane.
func normalx16(x archsimd.Float32x16, tanh bool) (p, dp archsimd.Float32x16) {
	k := &gelux16
	one := archsimd.LoadFloat32x16(&constsx16.one)
	s := x.Mul(x).Min(archsimd.LoadFloat32x16(&k.far))
	if tanh {
		a := archsimd.LoadFloat32x16(&k.a)
		p = sigmoidx16(x.Mul(s.MulAdd(archsimd.LoadFloat32x16(&k.b), a)))
		return p, p.Mul(one.Sub(p)).Mul(s.MulAdd(archsimd.LoadFloat32x16(&k.b3), a))
	}
	var zero archsimd.Float32x16
	half := archsimd.LoadFloat32x16(&k.half)
	z := x.Max(zero.Sub(x)).Mul(archsimd.LoadFloat32x16(&k.z)).Min(archsimd.LoadFloat32x16(&k.limit))
	t := one.Div(z.MulAdd(half, one))
	y := archsimd.LoadFloat32x16(&k.erfc[0])
	for i := 1; i < 10; i++ {
		y = y.MulAdd(t, archsimd.LoadFloat32x16(&k.erfc[i]))
	}
	p = half.Mul(t).Mul(expx16(y.Sub(z.Mul(z))))
	p = one.Sub(p).Merge(p, x.Greater(zero))
	return p, archsimd.LoadFloat32x16(&k.d).Mul(expx16(zero.Sub(half.Mul(s))))
}

//go:nocheckptr
func geluAVX512(dst, x, up []float32, tanh bool) {
	i := 0
	for ; i+16 <= len(x); i += 16 {
		v := archsimd.LoadFloat32x16((*[16]float32)(x[i : i+16]))
		p, _ := normalx16(v, tanh)
		y := v.Mul(p)
		if up != nil {
			y = y.Mul(archsimd.LoadFloat32x16((*[16]float32)(up[i : i+16])))
		}
		y.Store((*[16]float32)(dst[i : i+16]))
	}
	if i < len(x) {
		v := archsimd.LoadFloat32x16SlicePart(x[i:])
		p, _ := normalx16(v, tanh)
		y := v.Mul(p)
		if up != nil {
			y = y.Mul(archsimd.LoadFloat32x16SlicePart(up[i:]))
		}
		y.StoreSlicePart(dst[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func geluGradAVX512(dx, dup, x, up, dy []float32, tanh bool) {
	i := 0
	for ; i+16 <= len(x); i += 16 {
		v, d := archsimd.LoadFloat32x16((*[16]float32)(x[i:i+16])), archsimd.LoadFloat32x16((*[16]float32)(dy[i:i+16]))
		p, dp := normalx16(v, tanh)
		g := v.MulAdd(dp, p)
		if up != nil {
			u := archsimd.LoadFloat32x16((*[16]float32)(up[i : i+16]))
			d.Mul(v.Mul(p)).Store((*[16]float32)(dup[i : i+16]))
			d = d.Mul(u)
		}
		d.Mul(g).Store((*[16]float32)(dx[i : i+16]))
	}
	if i < len(x) {
		v, d := archsimd.LoadFloat32x16SlicePart(x[i:]), archsimd.LoadFloat32x16SlicePart(dy[i:])
		p, dp := normalx16(v, tanh)
		g := v.MulAdd(dp, p)
		if up != nil {
			u := archsimd.LoadFloat32x16SlicePart(up[i:])
			d.Mul(v.Mul(p)).StoreSlicePart(dup[i:])
			d = d.Mul(u)
		}
		d.Mul(g).StoreSlicePart(dx[i:])
	}
	archsimd.ClearAVXUpperBits()
}
