//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

// gelux8 holds the constants of gelu, spread over all lanes.
var gelux8 = struct {
	a, b, b3, far, d, z, half, limit [8]float32
	erfc                             [10][8]float32
}{
	spreadx8(geluA), spreadx8(geluB), spreadx8(3 * geluB), spreadx8(geluX * geluX), spreadx8(geluD), spreadx8(geluZ), spreadx8(0.5), spreadx8(geluX),
	[10][8]float32{spreadx8(erfc9), spreadx8(erfc8), spreadx8(erfc7), spreadx8(erfc6), spreadx8(erfc5), spreadx8(erfc4), spreadx8(erfc3), spreadx8(erfc2), spreadx8(erfc1), spreadx8(erfc0)},
}

// normalx8 is normalOf in every lane.
func normalx8(x archsimd.Float32x8, tanh bool) (p, dp archsimd.Float32x8) {
	k := &gelux8
	one := archsimd.LoadFloat32x8(&constsx8.one)
	s := x.Mul(x).Min(archsimd.LoadFloat32x8(&k.far))
	if tanh {
		a := archsimd.LoadFloat32x8(&k.a)
		p = sigmoidx8(x.Mul(s.MulAdd(archsimd.LoadFloat32x8(&k.b), a)))
		return p, p.Mul(one.Sub(p)).Mul(s.MulAdd(archsimd.LoadFloat32x8(&k.b3), a))
	}
	var zero archsimd.Float32x8
	half := archsimd.LoadFloat32x8(&k.half)
	z := x.Max(zero.Sub(x)).Mul(archsimd.LoadFloat32x8(&k.z)).Min(archsimd.LoadFloat32x8(&k.limit))
	t := one.Div(z.MulAdd(half, one))
	y := archsimd.LoadFloat32x8(&k.erfc[0])
	for i := 1; i < 10; i++ {
		y = y.MulAdd(t, archsimd.LoadFloat32x8(&k.erfc[i]))
	}
	p = half.Mul(t).Mul(expx8(y.Sub(z.Mul(z))))
	p = one.Sub(p).Merge(p, x.Greater(zero))
	return p, archsimd.LoadFloat32x8(&k.d).Mul(expx8(zero.Sub(half.Mul(s))))
}

//go:nocheckptr
func geluAVX2(dst, x, up []float32, tanh bool) {
	i := 0
	for ; i+8 <= len(x); i += 8 {
		v := archsimd.LoadFloat32x8((*[8]float32)(x[i : i+8]))
		p, _ := normalx8(v, tanh)
		y := v.Mul(p)
		if up != nil {
			y = y.Mul(archsimd.LoadFloat32x8((*[8]float32)(up[i : i+8])))
		}
		y.Store((*[8]float32)(dst[i : i+8]))
	}
	if i < len(x) {
		v := archsimd.LoadFloat32x8SlicePart(x[i:])
		p, _ := normalx8(v, tanh)
		y := v.Mul(p)
		if up != nil {
			y = y.Mul(archsimd.LoadFloat32x8SlicePart(up[i:]))
		}
		y.StoreSlicePart(dst[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func geluGradAVX2(dx, dup, x, up, dy []float32, tanh bool) {
	i := 0
	for ; i+8 <= len(x); i += 8 {
		v, d := archsimd.LoadFloat32x8((*[8]float32)(x[i:i+8])), archsimd.LoadFloat32x8((*[8]float32)(dy[i:i+8]))
		p, dp := normalx8(v, tanh)
		g := v.MulAdd(dp, p)
		if up != nil {
			u := archsimd.LoadFloat32x8((*[8]float32)(up[i : i+8]))
			d.Mul(v.Mul(p)).Store((*[8]float32)(dup[i : i+8]))
			d = d.Mul(u)
		}
		d.Mul(g).Store((*[8]float32)(dx[i : i+8]))
	}
	if i < len(x) {
		v, d := archsimd.LoadFloat32x8SlicePart(x[i:]), archsimd.LoadFloat32x8SlicePart(dy[i:])
		p, dp := normalx8(v, tanh)
		g := v.MulAdd(dp, p)
		if up != nil {
			u := archsimd.LoadFloat32x8SlicePart(up[i:])
			d.Mul(v.Mul(p)).StoreSlicePart(dup[i:])
			d = d.Mul(u)
		}
		d.Mul(g).StoreSlicePart(dx[i:])
	}
	archsimd.ClearAVXUpperBits()
}
