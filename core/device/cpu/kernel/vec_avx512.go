//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

// Functions marked nocheckptr load and store parts of vectors through archsimd, whose pointers to whole ones -race would refuse.

// constsx16 holds the exponential's constants spread over all lanes, for use as memory operands.
var constsx16 = struct {
	lo, hi, log2e, magic, ln2Hi, ln2Lo, c0, c1, c2, c3, c4, c5, one, cut [16]float32
	lanes                                                                [16]int32
}{
	spreadx16(-105), spreadx16(89), spreadx16(expLog2e), spreadx16(12582912), spreadx16(-expLn2Hi), spreadx16(-expLn2Lo),
	spreadx16(expC0), spreadx16(expC1), spreadx16(expC2), spreadx16(expC3), spreadx16(expC4), spreadx16(expC5), spreadx16(1), spreadx16(-expMax),
	[16]int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
}

func spreadx16(v float32) (a [16]float32) {
	for i := range a {
		a[i] = v
	}
	return
}

// expx16 is exp32 in every lane.
func expx16(x archsimd.Float32x16) archsimd.Float32x16 {
	k := &constsx16
	t := x.Max(archsimd.LoadFloat32x16(&k.lo)).Min(archsimd.LoadFloat32x16(&k.hi))
	m := archsimd.LoadFloat32x16(&k.magic)
	n := t.Mul(archsimd.LoadFloat32x16(&k.log2e)).Add(m).Sub(m)
	r := n.MulAdd(archsimd.LoadFloat32x16(&k.ln2Hi), t)
	r = n.MulAdd(archsimd.LoadFloat32x16(&k.ln2Lo), r)
	y := archsimd.LoadFloat32x16(&k.c0).MulAdd(r, archsimd.LoadFloat32x16(&k.c1))
	y = y.MulAdd(r, archsimd.LoadFloat32x16(&k.c2))
	y = y.MulAdd(r, archsimd.LoadFloat32x16(&k.c3))
	y = y.MulAdd(r, archsimd.LoadFloat32x16(&k.c4))
	y = y.MulAdd(r, archsimd.LoadFloat32x16(&k.c5))
	y = r.Mul(r).MulAdd(y, r.Add(archsimd.LoadFloat32x16(&k.one)))
	y = y.Scale(n)
	return y.Merge(x, x.Equal(x)) // NaN stays NaN
}

func sigmoidx16(x archsimd.Float32x16) archsimd.Float32x16 {
	one := archsimd.LoadFloat32x16(&constsx16.one)
	return one.Div(one.Add(expx16(archsimd.Float32x16{}.Sub(x))))
}

// silux16 turns what lies so far down that x·σ(x) would be ∞·0 into 0. It takes σ(x) as well.
func silux16(x, s archsimd.Float32x16) archsimd.Float32x16 {
	return x.Mul(s).Merge(archsimd.Float32x16{}, x.GreaterEqual(archsimd.LoadFloat32x16(&constsx16.cut)).Or(x.IsNaN()))
}

// firstx16 is true in the first n lanes.
func firstx16(n int) archsimd.Mask32x16 {
	return archsimd.BroadcastInt32x16(int32(n)).Greater(archsimd.LoadInt32x16(&constsx16.lanes))
}

// sumx16 adds the lanes by halves. It leaves scalar code free to follow: a scalar float used beside the vectors before that would
// stall, even if only reloaded from the stack.
func sumx16(x archsimd.Float32x16) float32 {
	half := x.GetLo().Add(x.GetHi())
	var a [4]float32
	half.GetLo().Add(half.GetHi()).Store(&a)
	archsimd.ClearAVXUpperBits()
	return (a[0] + a[2]) + (a[1] + a[3])
}

//go:nocheckptr
func expAVX512(dst, x []float32) {
	i := 0
	for ; i+16 <= len(x); i += 16 {
		expx16(archsimd.LoadFloat32x16((*[16]float32)(x[i : i+16]))).Store((*[16]float32)(dst[i : i+16]))
	}
	if i < len(x) {
		expx16(archsimd.LoadFloat32x16SlicePart(x[i:])).StoreSlicePart(dst[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func expShiftAVX512(dst, x []float32, shift float32) float32 {
	s := archsimd.BroadcastFloat32x16(shift)
	var sum0, sum1 archsimd.Float32x16
	i := 0
	for ; i+32 <= len(x); i += 32 {
		e := expx16(archsimd.LoadFloat32x16((*[16]float32)(x[i : i+16])).Sub(s))
		e.Store((*[16]float32)(dst[i : i+16]))
		sum0 = sum0.Add(e)
		e = expx16(archsimd.LoadFloat32x16((*[16]float32)(x[i+16 : i+32])).Sub(s))
		e.Store((*[16]float32)(dst[i+16 : i+32]))
		sum1 = sum1.Add(e)
	}
	sum0 = sum0.Add(sum1)
	for ; i < len(x); i += 16 {
		e := expx16(archsimd.LoadFloat32x16SlicePart(x[i:]).Sub(s)).Masked(firstx16(len(x) - i))
		e.StoreSlicePart(dst[i:len(x)])
		sum0 = sum0.Add(e)
	}
	return sumx16(sum0)
}

//go:nocheckptr
func expSumAVX512(x []float32, shift float32) float32 {
	s := archsimd.BroadcastFloat32x16(shift)
	var sum0, sum1 archsimd.Float32x16
	i := 0
	for ; i+32 <= len(x); i += 32 {
		sum0 = sum0.Add(expx16(archsimd.LoadFloat32x16((*[16]float32)(x[i : i+16])).Sub(s)))
		sum1 = sum1.Add(expx16(archsimd.LoadFloat32x16((*[16]float32)(x[i+16 : i+32])).Sub(s)))
	}
	sum0 = sum0.Add(sum1)
	for ; i < len(x); i += 16 {
		sum0 = sum0.Add(expx16(archsimd.LoadFloat32x16SlicePart(x[i:]).Sub(s)).Masked(firstx16(len(x) - i)))
	}
	return sumx16(sum0)
}

//go:nocheckptr
func softmaxGradAVX512(x []float32, shift, factor float32) {
	s, f := archsimd.BroadcastFloat32x16(shift), archsimd.BroadcastFloat32x16(factor)
	i := 0
	for ; i+16 <= len(x); i += 16 {
		expx16(archsimd.LoadFloat32x16((*[16]float32)(x[i : i+16])).Sub(s)).Mul(f).Store((*[16]float32)(x[i : i+16]))
	}
	if i < len(x) {
		expx16(archsimd.LoadFloat32x16SlicePart(x[i:]).Sub(s)).Mul(f).StoreSlicePart(x[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func softmaxBackAVX512(ds, p []float32, delta, scale float32) {
	d, s := archsimd.BroadcastFloat32x16(delta), archsimd.BroadcastFloat32x16(scale)
	i := 0
	for ; i+16 <= len(ds); i += 16 {
		archsimd.LoadFloat32x16((*[16]float32)(p[i : i+16])).Mul(archsimd.LoadFloat32x16((*[16]float32)(ds[i : i+16])).Sub(d)).Mul(s).Store((*[16]float32)(ds[i : i+16]))
	}
	if i < len(ds) {
		archsimd.LoadFloat32x16SlicePart(p[i:len(ds)]).Mul(archsimd.LoadFloat32x16SlicePart(ds[i:]).Sub(d)).Mul(s).StoreSlicePart(ds[i:])
	}
	archsimd.ClearAVXUpperBits()
}

func maskRowAVX512(s []float32, kseg, kpos []int32, seg, first, last int32) {
	n := len(s) &^ (16 - 1)
	sg, all := archsimd.BroadcastInt32x16(seg), archsimd.BroadcastInt32x16(-1)
	lo, hi := archsimd.BroadcastInt32x16(first), archsimd.BroadcastInt32x16(last)
	out := archsimd.BroadcastFloat32x16(negInf)
	for i := 0; i < n; i += 16 {
		ks := archsimd.LoadInt32x16((*[16]int32)(kseg[i : i+16]))
		kp := archsimd.LoadInt32x16((*[16]int32)(kpos[i : i+16]))
		seen := ks.Equal(sg).Or(ks.Equal(all)).And(hi.GreaterEqual(kp)).And(kp.GreaterEqual(lo))
		archsimd.LoadFloat32x16((*[16]float32)(s[i:i+16])).Merge(out, seen).Store((*[16]float32)(s[i : i+16]))
	}
	archsimd.ClearAVXUpperBits()
	maskRowPlain(s[n:], kseg[n:], kpos[n:], seg, first, last)
}

//go:nocheckptr
func sigmoidAVX512(dst, x []float32) {
	i := 0
	for ; i+16 <= len(x); i += 16 {
		sigmoidx16(archsimd.LoadFloat32x16((*[16]float32)(x[i : i+16]))).Store((*[16]float32)(dst[i : i+16]))
	}
	if i < len(x) {
		sigmoidx16(archsimd.LoadFloat32x16SlicePart(x[i:])).StoreSlicePart(dst[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func siluAVX512(dst, x []float32) {
	i := 0
	for ; i+16 <= len(x); i += 16 {
		v := archsimd.LoadFloat32x16((*[16]float32)(x[i : i+16]))
		silux16(v, sigmoidx16(v)).Store((*[16]float32)(dst[i : i+16]))
	}
	if i < len(x) {
		v := archsimd.LoadFloat32x16SlicePart(x[i:])
		silux16(v, sigmoidx16(v)).StoreSlicePart(dst[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func swigluAVX512(dst, gate, up []float32) {
	i := 0
	for ; i+16 <= len(gate); i += 16 {
		v := archsimd.LoadFloat32x16((*[16]float32)(gate[i : i+16]))
		silux16(v, sigmoidx16(v)).Mul(archsimd.LoadFloat32x16((*[16]float32)(up[i : i+16]))).Store((*[16]float32)(dst[i : i+16]))
	}
	if i < len(gate) {
		v := archsimd.LoadFloat32x16SlicePart(gate[i:])
		silux16(v, sigmoidx16(v)).Mul(archsimd.LoadFloat32x16SlicePart(up[i:])).StoreSlicePart(dst[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func swigluGradAVX512(dgate, dup, gate, up, dout []float32) {
	one := archsimd.LoadFloat32x16(&constsx16.one)
	i := 0
	for ; i+16 <= len(gate); i += 16 {
		v, u, d := archsimd.LoadFloat32x16((*[16]float32)(gate[i:i+16])), archsimd.LoadFloat32x16((*[16]float32)(up[i:i+16])), archsimd.LoadFloat32x16((*[16]float32)(dout[i:i+16]))
		s := sigmoidx16(v)
		y := silux16(v, s)
		d.Mul(y).Store((*[16]float32)(dup[i : i+16]))
		d.Mul(u).Mul(y.MulAdd(one.Sub(s), s)).Store((*[16]float32)(dgate[i : i+16]))
	}
	if i < len(gate) {
		v, u, d := archsimd.LoadFloat32x16SlicePart(gate[i:]), archsimd.LoadFloat32x16SlicePart(up[i:]), archsimd.LoadFloat32x16SlicePart(dout[i:])
		s := sigmoidx16(v)
		y := silux16(v, s)
		d.Mul(y).StoreSlicePart(dup[i:])
		d.Mul(u).Mul(y.MulAdd(one.Sub(s), s)).StoreSlicePart(dgate[i:])
	}
	archsimd.ClearAVXUpperBits()
}

func maxAVX512(x []float32) float32 {
	n := len(x) &^ (32 - 1)
	a := archsimd.BroadcastFloat32x16(negInf)
	b := a
	for i := 0; i < n; i += 32 {
		a = archsimd.LoadFloat32x16((*[16]float32)(x[i : i+16])).Max(a) // a lane with NaN keeps the maximum so far
		b = archsimd.LoadFloat32x16((*[16]float32)(x[i+16 : i+32])).Max(b)
	}
	a = a.Max(b)
	half := a.GetLo().Max(a.GetHi())
	var t [4]float32
	half.GetLo().Max(half.GetHi()).Store(&t)
	archsimd.ClearAVXUpperBits()
	return max(maxPlain(t[:]), maxPlain(x[n:]))
}

//go:nocheckptr
func dotAVX512(a, b []float32) float32 {
	var s0, s1, s2, s3 archsimd.Float32x16
	i := 0
	for ; i+64 <= len(a); i += 64 {
		x, y := (*[64]float32)(a[i:i+64]), (*[64]float32)(b[i:i+64])
		s0 = archsimd.LoadFloat32x16((*[16]float32)(x[:])).MulAdd(archsimd.LoadFloat32x16((*[16]float32)(y[:])), s0)
		s1 = archsimd.LoadFloat32x16((*[16]float32)(x[16:])).MulAdd(archsimd.LoadFloat32x16((*[16]float32)(y[16:])), s1)
		s2 = archsimd.LoadFloat32x16((*[16]float32)(x[32:])).MulAdd(archsimd.LoadFloat32x16((*[16]float32)(y[32:])), s2)
		s3 = archsimd.LoadFloat32x16((*[16]float32)(x[48:])).MulAdd(archsimd.LoadFloat32x16((*[16]float32)(y[48:])), s3)
	}
	for ; i+16 <= len(a); i += 16 {
		s0 = archsimd.LoadFloat32x16((*[16]float32)(a[i:i+16])).MulAdd(archsimd.LoadFloat32x16((*[16]float32)(b[i:i+16])), s0)
	}
	if i < len(a) {
		s1 = archsimd.LoadFloat32x16SlicePart(a[i:]).MulAdd(archsimd.LoadFloat32x16SlicePart(b[i:]), s1)
	}
	return sumx16(s0.Add(s1).Add(s2.Add(s3)))
}

//go:nocheckptr
func dot3AVX512(a, b, c []float32) float32 {
	var s0, s1 archsimd.Float32x16
	i := 0
	for ; i+32 <= len(a); i += 32 {
		s0 = archsimd.LoadFloat32x16((*[16]float32)(a[i:i+16])).Mul(archsimd.LoadFloat32x16((*[16]float32)(b[i:i+16]))).MulAdd(archsimd.LoadFloat32x16((*[16]float32)(c[i:i+16])), s0)
		s1 = archsimd.LoadFloat32x16((*[16]float32)(a[i+16:i+32])).Mul(archsimd.LoadFloat32x16((*[16]float32)(b[i+16:i+32]))).MulAdd(archsimd.LoadFloat32x16((*[16]float32)(c[i+16:i+32])), s1)
	}
	for ; i < len(a); i += 16 {
		s0 = archsimd.LoadFloat32x16SlicePart(a[i:]).Mul(archsimd.LoadFloat32x16SlicePart(b[i:])).MulAdd(archsimd.LoadFloat32x16SlicePart(c[i:]), s0)
	}
	return sumx16(s0.Add(s1))
}

//go:nocheckptr
func axpyAVX512(y []float32, alpha float32, x []float32) {
	s := archsimd.BroadcastFloat32x16(alpha)
	i := 0
	for ; i+16 <= len(x); i += 16 {
		archsimd.LoadFloat32x16((*[16]float32)(x[i:i+16])).MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(y[i:i+16]))).Store((*[16]float32)(y[i : i+16]))
	}
	if i < len(x) {
		archsimd.LoadFloat32x16SlicePart(x[i:]).MulAdd(s, archsimd.LoadFloat32x16SlicePart(y[i:])).StoreSlicePart(y[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func scaleAVX512(y []float32, alpha float32) {
	s := archsimd.BroadcastFloat32x16(alpha)
	i := 0
	for ; i+16 <= len(y); i += 16 {
		archsimd.LoadFloat32x16((*[16]float32)(y[i : i+16])).Mul(s).Store((*[16]float32)(y[i : i+16]))
	}
	if i < len(y) {
		archsimd.LoadFloat32x16SlicePart(y[i:]).Mul(s).StoreSlicePart(y[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func mulScaledAVX512(y, x, w []float32, factor float32) {
	s := archsimd.BroadcastFloat32x16(factor)
	i := 0
	for ; i+16 <= len(x); i += 16 {
		archsimd.LoadFloat32x16((*[16]float32)(x[i : i+16])).Mul(s).Mul(archsimd.LoadFloat32x16((*[16]float32)(w[i : i+16]))).Store((*[16]float32)(y[i : i+16]))
	}
	if i < len(x) {
		archsimd.LoadFloat32x16SlicePart(x[i:]).Mul(s).Mul(archsimd.LoadFloat32x16SlicePart(w[i:])).StoreSlicePart(y[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func mulAddScaledAVX512(y, a, b []float32, factor float32) {
	s := archsimd.BroadcastFloat32x16(factor)
	i := 0
	for ; i+16 <= len(y); i += 16 {
		archsimd.LoadFloat32x16((*[16]float32)(a[i:i+16])).Mul(archsimd.LoadFloat32x16((*[16]float32)(b[i:i+16]))).MulAdd(s, archsimd.LoadFloat32x16((*[16]float32)(y[i:i+16]))).Store((*[16]float32)(y[i : i+16]))
	}
	if i < len(y) {
		archsimd.LoadFloat32x16SlicePart(a[i:]).Mul(archsimd.LoadFloat32x16SlicePart(b[i:])).MulAdd(s, archsimd.LoadFloat32x16SlicePart(y[i:])).StoreSlicePart(y[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func rmsGradAVX512(dx, dy, w, x []float32, rstd, factor float32) {
	r, c := archsimd.BroadcastFloat32x16(rstd), archsimd.BroadcastFloat32x16(-factor)
	i := 0
	for ; i+16 <= len(dx); i += 16 {
		archsimd.LoadFloat32x16((*[16]float32)(dy[i:i+16])).Mul(archsimd.LoadFloat32x16((*[16]float32)(w[i:i+16]))).MulAdd(r, c.Mul(archsimd.LoadFloat32x16((*[16]float32)(x[i:i+16])))).Store((*[16]float32)(dx[i : i+16]))
	}
	if i < len(dx) {
		archsimd.LoadFloat32x16SlicePart(dy[i:]).Mul(archsimd.LoadFloat32x16SlicePart(w[i:])).MulAdd(r, c.Mul(archsimd.LoadFloat32x16SlicePart(x[i:]))).StoreSlicePart(dx[i:])
	}
	archsimd.ClearAVXUpperBits()
}

// adamwAVX512 rounds after every operation, as adamwPlain does.
func adamwAVX512(p, m, v, g []float32, c adamwConsts) {
	gs, dc := archsimd.BroadcastFloat32x16(c.gradScale), archsimd.BroadcastFloat32x16(c.decay)
	o1, b2, o2 := archsimd.BroadcastFloat32x16(c.oneMinusB1), archsimd.BroadcastFloat32x16(c.b2), archsimd.BroadcastFloat32x16(c.oneMinusB2)
	sq, ep, st := archsimd.BroadcastFloat32x16(c.sqrtC2), archsimd.BroadcastFloat32x16(c.eps), archsimd.BroadcastFloat32x16(c.minusStep)
	n := len(p) &^ (16 - 1)
	for i := 0; i < n; i += 16 {
		gi, mi := archsimd.LoadFloat32x16((*[16]float32)(g[i:i+16])).Mul(gs), archsimd.LoadFloat32x16((*[16]float32)(m[i:i+16]))
		mi = mi.Add(o1.Mul(gi.Sub(mi)))
		vi := archsimd.LoadFloat32x16((*[16]float32)(v[i : i+16])).Mul(b2).Add(o2.Mul(gi).Mul(gi))
		mi.Store((*[16]float32)(m[i : i+16]))
		vi.Store((*[16]float32)(v[i : i+16]))
		archsimd.LoadFloat32x16((*[16]float32)(p[i : i+16])).Mul(dc).Add(st.Mul(mi).Div(vi.Sqrt().Div(sq).Add(ep))).Store((*[16]float32)(p[i : i+16]))
	}
	archsimd.ClearAVXUpperBits()
	adamwPlain(p[n:], m[n:], v[n:], g[n:], c)
}
