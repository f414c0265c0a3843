//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

// Functions marked nocheckptr load and store parts of vectors through archsimd, whose pointers to whole ones -race would refuse.

// constsx8 holds the exponential's constants spread over all lanes, for use as memory operands.
var constsx8 = struct {
	lo, hi, log2e, magic, ln2Hi, ln2Lo, c0, c1, c2, c3, c4, c5, one, cut [8]float32
	bias, lanes                                                          [8]int32
}{
	spreadx8(-105), spreadx8(89), spreadx8(expLog2e), spreadx8(12582912), spreadx8(-expLn2Hi), spreadx8(-expLn2Lo),
	spreadx8(expC0), spreadx8(expC1), spreadx8(expC2), spreadx8(expC3), spreadx8(expC4), spreadx8(expC5), spreadx8(1), spreadx8(-expMax),
	[8]int32{127, 127, 127, 127, 127, 127, 127, 127}, [8]int32{0, 1, 2, 3, 4, 5, 6, 7},
}

func spreadx8(v float32) (a [8]float32) {
	for i := range a {
		a[i] = v
	}
	return
}

// expx8 is exp32 in every lane.
func expx8(x archsimd.Float32x8) archsimd.Float32x8 {
	k := &constsx8
	t := x.Max(archsimd.LoadFloat32x8(&k.lo)).Min(archsimd.LoadFloat32x8(&k.hi))
	m := archsimd.LoadFloat32x8(&k.magic)
	n := t.Mul(archsimd.LoadFloat32x8(&k.log2e)).Add(m).Sub(m)
	r := n.MulAdd(archsimd.LoadFloat32x8(&k.ln2Hi), t)
	r = n.MulAdd(archsimd.LoadFloat32x8(&k.ln2Lo), r)
	y := archsimd.LoadFloat32x8(&k.c0).MulAdd(r, archsimd.LoadFloat32x8(&k.c1))
	y = y.MulAdd(r, archsimd.LoadFloat32x8(&k.c2))
	y = y.MulAdd(r, archsimd.LoadFloat32x8(&k.c3))
	y = y.MulAdd(r, archsimd.LoadFloat32x8(&k.c4))
	y = y.MulAdd(r, archsimd.LoadFloat32x8(&k.c5))
	y = r.Mul(r).MulAdd(y, r.Add(archsimd.LoadFloat32x8(&k.one)))
	// 2ⁿ in two factors, because alone it may be out of range.
	i := n.ConvertToInt32()
	bias := archsimd.LoadInt32x8(&k.bias)
	half := i.ShiftAllRight(1)
	y = y.Mul(half.Add(bias).ShiftAllLeft(23).AsFloat32x8()).Mul(i.Sub(half).Add(bias).ShiftAllLeft(23).AsFloat32x8())
	return y.Merge(x, x.Equal(x)) // NaN stays NaN
}

func sigmoidx8(x archsimd.Float32x8) archsimd.Float32x8 {
	one := archsimd.LoadFloat32x8(&constsx8.one)
	return one.Div(one.Add(expx8(archsimd.Float32x8{}.Sub(x))))
}

// silux8 turns what lies so far down that x·σ(x) would be ∞·0 into 0. It takes σ(x) as well.
func silux8(x, s archsimd.Float32x8) archsimd.Float32x8 {
	return x.Mul(s).Merge(archsimd.Float32x8{}, x.GreaterEqual(archsimd.LoadFloat32x8(&constsx8.cut)).Or(x.IsNaN()))
}

// firstx8 is true in the first n lanes.
func firstx8(n int) archsimd.Mask32x8 {
	return archsimd.BroadcastInt32x8(int32(n)).Greater(archsimd.LoadInt32x8(&constsx8.lanes))
}

// sumx8 adds the lanes by halves. It leaves scalar code free to follow: a scalar float used beside the vectors before that would
// stall, even if only reloaded from the stack.
func sumx8(x archsimd.Float32x8) float32 {
	var a [8]float32
	x.Store(&a)
	archsimd.ClearAVXUpperBits()
	for n := 4; n > 0; n /= 2 {
		for i := range n {
			a[i] += a[i+n]
		}
	}
	return a[0]
}

//go:nocheckptr
func expAVX2(dst, x []float32) {
	i := 0
	for ; i+8 <= len(x); i += 8 {
		expx8(archsimd.LoadFloat32x8((*[8]float32)(x[i : i+8]))).Store((*[8]float32)(dst[i : i+8]))
	}
	if i < len(x) {
		expx8(archsimd.LoadFloat32x8SlicePart(x[i:])).StoreSlicePart(dst[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func expShiftAVX2(dst, x []float32, shift float32) float32 {
	s := archsimd.BroadcastFloat32x8(shift)
	var sum0, sum1 archsimd.Float32x8
	i := 0
	for ; i+16 <= len(x); i += 16 {
		e := expx8(archsimd.LoadFloat32x8((*[8]float32)(x[i : i+8])).Sub(s))
		e.Store((*[8]float32)(dst[i : i+8]))
		sum0 = sum0.Add(e)
		e = expx8(archsimd.LoadFloat32x8((*[8]float32)(x[i+8 : i+16])).Sub(s))
		e.Store((*[8]float32)(dst[i+8 : i+16]))
		sum1 = sum1.Add(e)
	}
	sum0 = sum0.Add(sum1)
	for ; i < len(x); i += 8 {
		e := expx8(archsimd.LoadFloat32x8SlicePart(x[i:]).Sub(s)).Masked(firstx8(len(x) - i))
		e.StoreSlicePart(dst[i:len(x)])
		sum0 = sum0.Add(e)
	}
	return sumx8(sum0)
}

//go:nocheckptr
func expSumAVX2(x []float32, shift float32) float32 {
	s := archsimd.BroadcastFloat32x8(shift)
	var sum0, sum1 archsimd.Float32x8
	i := 0
	for ; i+16 <= len(x); i += 16 {
		sum0 = sum0.Add(expx8(archsimd.LoadFloat32x8((*[8]float32)(x[i : i+8])).Sub(s)))
		sum1 = sum1.Add(expx8(archsimd.LoadFloat32x8((*[8]float32)(x[i+8 : i+16])).Sub(s)))
	}
	sum0 = sum0.Add(sum1)
	for ; i < len(x); i += 8 {
		sum0 = sum0.Add(expx8(archsimd.LoadFloat32x8SlicePart(x[i:]).Sub(s)).Masked(firstx8(len(x) - i)))
	}
	return sumx8(sum0)
}

//go:nocheckptr
func softmaxGradAVX2(x []float32, shift, factor float32) {
	s, f := archsimd.BroadcastFloat32x8(shift), archsimd.BroadcastFloat32x8(factor)
	i := 0
	for ; i+8 <= len(x); i += 8 {
		expx8(archsimd.LoadFloat32x8((*[8]float32)(x[i : i+8])).Sub(s)).Mul(f).Store((*[8]float32)(x[i : i+8]))
	}
	if i < len(x) {
		expx8(archsimd.LoadFloat32x8SlicePart(x[i:]).Sub(s)).Mul(f).StoreSlicePart(x[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func softmaxBackAVX2(ds, p []float32, delta, scale float32) {
	d, s := archsimd.BroadcastFloat32x8(delta), archsimd.BroadcastFloat32x8(scale)
	i := 0
	for ; i+8 <= len(ds); i += 8 {
		archsimd.LoadFloat32x8((*[8]float32)(p[i : i+8])).Mul(archsimd.LoadFloat32x8((*[8]float32)(ds[i : i+8])).Sub(d)).Mul(s).Store((*[8]float32)(ds[i : i+8]))
	}
	if i < len(ds) {
		archsimd.LoadFloat32x8SlicePart(p[i:len(ds)]).Mul(archsimd.LoadFloat32x8SlicePart(ds[i:]).Sub(d)).Mul(s).StoreSlicePart(ds[i:])
	}
	archsimd.ClearAVXUpperBits()
}

func maskRowAVX2(s []float32, kseg, kpos []int32, seg, first, last int32) {
	n := len(s) &^ (8 - 1)
	sg, all := archsimd.BroadcastInt32x8(seg), archsimd.BroadcastInt32x8(-1)
	lo, hi := archsimd.BroadcastInt32x8(first), archsimd.BroadcastInt32x8(last)
	out := archsimd.BroadcastFloat32x8(negInf)
	for i := 0; i < n; i += 8 {
		ks := archsimd.LoadInt32x8((*[8]int32)(kseg[i : i+8]))
		kp := archsimd.LoadInt32x8((*[8]int32)(kpos[i : i+8]))
		seen := ks.Equal(sg).Or(ks.Equal(all)).And(hi.GreaterEqual(kp)).And(kp.GreaterEqual(lo))
		archsimd.LoadFloat32x8((*[8]float32)(s[i:i+8])).Merge(out, seen).Store((*[8]float32)(s[i : i+8]))
	}
	archsimd.ClearAVXUpperBits()
	maskRowPlain(s[n:], kseg[n:], kpos[n:], seg, first, last)
}

//go:nocheckptr
func sigmoidAVX2(dst, x []float32) {
	i := 0
	for ; i+8 <= len(x); i += 8 {
		sigmoidx8(archsimd.LoadFloat32x8((*[8]float32)(x[i : i+8]))).Store((*[8]float32)(dst[i : i+8]))
	}
	if i < len(x) {
		sigmoidx8(archsimd.LoadFloat32x8SlicePart(x[i:])).StoreSlicePart(dst[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func siluAVX2(dst, x []float32) {
	i := 0
	for ; i+8 <= len(x); i += 8 {
		v := archsimd.LoadFloat32x8((*[8]float32)(x[i : i+8]))
		silux8(v, sigmoidx8(v)).Store((*[8]float32)(dst[i : i+8]))
	}
	if i < len(x) {
		v := archsimd.LoadFloat32x8SlicePart(x[i:])
		silux8(v, sigmoidx8(v)).StoreSlicePart(dst[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func swigluAVX2(dst, gate, up []float32) {
	i := 0
	for ; i+8 <= len(gate); i += 8 {
		v := archsimd.LoadFloat32x8((*[8]float32)(gate[i : i+8]))
		silux8(v, sigmoidx8(v)).Mul(archsimd.LoadFloat32x8((*[8]float32)(up[i : i+8]))).Store((*[8]float32)(dst[i : i+8]))
	}
	if i < len(gate) {
		v := archsimd.LoadFloat32x8SlicePart(gate[i:])
		silux8(v, sigmoidx8(v)).Mul(archsimd.LoadFloat32x8SlicePart(up[i:])).StoreSlicePart(dst[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func swigluGradAVX2(dgate, dup, gate, up, dout []float32) {
	one := archsimd.LoadFloat32x8(&constsx8.one)
	i := 0
	for ; i+8 <= len(gate); i += 8 {
		v, u, d := archsimd.LoadFloat32x8((*[8]float32)(gate[i:i+8])), archsimd.LoadFloat32x8((*[8]float32)(up[i:i+8])), archsimd.LoadFloat32x8((*[8]float32)(dout[i:i+8]))
		s := sigmoidx8(v)
		y := silux8(v, s)
		d.Mul(y).Store((*[8]float32)(dup[i : i+8]))
		d.Mul(u).Mul(y.MulAdd(one.Sub(s), s)).Store((*[8]float32)(dgate[i : i+8]))
	}
	if i < len(gate) {
		v, u, d := archsimd.LoadFloat32x8SlicePart(gate[i:]), archsimd.LoadFloat32x8SlicePart(up[i:]), archsimd.LoadFloat32x8SlicePart(dout[i:])
		s := sigmoidx8(v)
		y := silux8(v, s)
		d.Mul(y).StoreSlicePart(dup[i:])
		d.Mul(u).Mul(y.MulAdd(one.Sub(s), s)).StoreSlicePart(dgate[i:])
	}
	archsimd.ClearAVXUpperBits()
}

func maxAVX2(x []float32) float32 {
	n := len(x) &^ (16 - 1)
	a := archsimd.BroadcastFloat32x8(negInf)
	b := a
	for i := 0; i < n; i += 16 {
		a = archsimd.LoadFloat32x8((*[8]float32)(x[i : i+8])).Max(a) // a lane with NaN keeps the maximum so far
		b = archsimd.LoadFloat32x8((*[8]float32)(x[i+8 : i+16])).Max(b)
	}
	var t [8]float32
	a.Max(b).Store(&t)
	archsimd.ClearAVXUpperBits()
	return max(maxPlain(t[:]), maxPlain(x[n:]))
}

//go:nocheckptr
func dotAVX2(a, b []float32) float32 {
	var s0, s1, s2, s3 archsimd.Float32x8
	i := 0
	for ; i+32 <= len(a); i += 32 {
		x, y := (*[32]float32)(a[i:i+32]), (*[32]float32)(b[i:i+32])
		s0 = archsimd.LoadFloat32x8((*[8]float32)(x[:])).MulAdd(archsimd.LoadFloat32x8((*[8]float32)(y[:])), s0)
		s1 = archsimd.LoadFloat32x8((*[8]float32)(x[8:])).MulAdd(archsimd.LoadFloat32x8((*[8]float32)(y[8:])), s1)
		s2 = archsimd.LoadFloat32x8((*[8]float32)(x[16:])).MulAdd(archsimd.LoadFloat32x8((*[8]float32)(y[16:])), s2)
		s3 = archsimd.LoadFloat32x8((*[8]float32)(x[24:])).MulAdd(archsimd.LoadFloat32x8((*[8]float32)(y[24:])), s3)
	}
	for ; i+8 <= len(a); i += 8 {
		s0 = archsimd.LoadFloat32x8((*[8]float32)(a[i:i+8])).MulAdd(archsimd.LoadFloat32x8((*[8]float32)(b[i:i+8])), s0)
	}
	if i < len(a) {
		s1 = archsimd.LoadFloat32x8SlicePart(a[i:]).MulAdd(archsimd.LoadFloat32x8SlicePart(b[i:]), s1)
	}
	return sumx8(s0.Add(s1).Add(s2.Add(s3)))
}

//go:nocheckptr
func dot3AVX2(a, b, c []float32) float32 {
	var s0, s1 archsimd.Float32x8
	i := 0
	for ; i+16 <= len(a); i += 16 {
		s0 = archsimd.LoadFloat32x8((*[8]float32)(a[i:i+8])).Mul(archsimd.LoadFloat32x8((*[8]float32)(b[i:i+8]))).MulAdd(archsimd.LoadFloat32x8((*[8]float32)(c[i:i+8])), s0)
		s1 = archsimd.LoadFloat32x8((*[8]float32)(a[i+8:i+16])).Mul(archsimd.LoadFloat32x8((*[8]float32)(b[i+8:i+16]))).MulAdd(archsimd.LoadFloat32x8((*[8]float32)(c[i+8:i+16])), s1)
	}
	for ; i < len(a); i += 8 {
		s0 = archsimd.LoadFloat32x8SlicePart(a[i:]).Mul(archsimd.LoadFloat32x8SlicePart(b[i:])).MulAdd(archsimd.LoadFloat32x8SlicePart(c[i:]), s0)
	}
	return sumx8(s0.Add(s1))
}

//go:nocheckptr
func axpyAVX2(y []float32, alpha float32, x []float32) {
	s := archsimd.BroadcastFloat32x8(alpha)
	i := 0
	for ; i+8 <= len(x); i += 8 {
		archsimd.LoadFloat32x8((*[8]float32)(x[i:i+8])).MulAdd(s, archsimd.LoadFloat32x8((*[8]float32)(y[i:i+8]))).Store((*[8]float32)(y[i : i+8]))
	}
	if i < len(x) {
		archsimd.LoadFloat32x8SlicePart(x[i:]).MulAdd(s, archsimd.LoadFloat32x8SlicePart(y[i:])).StoreSlicePart(y[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func scaleAVX2(y []float32, alpha float32) {
	s := archsimd.BroadcastFloat32x8(alpha)
	i := 0
	for ; i+8 <= len(y); i += 8 {
		archsimd.LoadFloat32x8((*[8]float32)(y[i : i+8])).Mul(s).Store((*[8]float32)(y[i : i+8]))
	}
	if i < len(y) {
		archsimd.LoadFloat32x8SlicePart(y[i:]).Mul(s).StoreSlicePart(y[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func mulScaledAVX2(y, x, w []float32, factor float32) {
	s := archsimd.BroadcastFloat32x8(factor)
	i := 0
	for ; i+8 <= len(x); i += 8 {
		archsimd.LoadFloat32x8((*[8]float32)(x[i : i+8])).Mul(s).Mul(archsimd.LoadFloat32x8((*[8]float32)(w[i : i+8]))).Store((*[8]float32)(y[i : i+8]))
	}
	if i < len(x) {
		archsimd.LoadFloat32x8SlicePart(x[i:]).Mul(s).Mul(archsimd.LoadFloat32x8SlicePart(w[i:])).StoreSlicePart(y[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func mulAddScaledAVX2(y, a, b []float32, factor float32) {
	s := archsimd.BroadcastFloat32x8(factor)
	i := 0
	for ; i+8 <= len(y); i += 8 {
		archsimd.LoadFloat32x8((*[8]float32)(a[i:i+8])).Mul(archsimd.LoadFloat32x8((*[8]float32)(b[i:i+8]))).MulAdd(s, archsimd.LoadFloat32x8((*[8]float32)(y[i:i+8]))).Store((*[8]float32)(y[i : i+8]))
	}
	if i < len(y) {
		archsimd.LoadFloat32x8SlicePart(a[i:]).Mul(archsimd.LoadFloat32x8SlicePart(b[i:])).MulAdd(s, archsimd.LoadFloat32x8SlicePart(y[i:])).StoreSlicePart(y[i:])
	}
	archsimd.ClearAVXUpperBits()
}

//go:nocheckptr
func rmsGradAVX2(dx, dy, w, x []float32, rstd, factor float32) {
	r, c := archsimd.BroadcastFloat32x8(rstd), archsimd.BroadcastFloat32x8(-factor)
	i := 0
	for ; i+8 <= len(dx); i += 8 {
		archsimd.LoadFloat32x8((*[8]float32)(dy[i:i+8])).Mul(archsimd.LoadFloat32x8((*[8]float32)(w[i:i+8]))).MulAdd(r, c.Mul(archsimd.LoadFloat32x8((*[8]float32)(x[i:i+8])))).Store((*[8]float32)(dx[i : i+8]))
	}
	if i < len(dx) {
		archsimd.LoadFloat32x8SlicePart(dy[i:]).Mul(archsimd.LoadFloat32x8SlicePart(w[i:])).MulAdd(r, c.Mul(archsimd.LoadFloat32x8SlicePart(x[i:]))).StoreSlicePart(dx[i:])
	}
	archsimd.ClearAVXUpperBits()
}

// adamwAVX2 rounds after every operation, as adamwPlain does.
func adamwAVX2(p, m, v, g []float32, c adamwConsts) {
	gs, dc := archsimd.BroadcastFloat32x8(c.gradScale), archsimd.BroadcastFloat32x8(c.decay)
	o1, b2, o2 := archsimd.BroadcastFloat32x8(c.oneMinusB1), archsimd.BroadcastFloat32x8(c.b2), archsimd.BroadcastFloat32x8(c.oneMinusB2)
	sq, ep, st := archsimd.BroadcastFloat32x8(c.sqrtC2), archsimd.BroadcastFloat32x8(c.eps), archsimd.BroadcastFloat32x8(c.minusStep)
	n := len(p) &^ (8 - 1)
	for i := 0; i < n; i += 8 {
		gi, mi := archsimd.LoadFloat32x8((*[8]float32)(g[i:i+8])).Mul(gs), archsimd.LoadFloat32x8((*[8]float32)(m[i:i+8]))
		mi = mi.Add(o1.Mul(gi.Sub(mi)))
		vi := archsimd.LoadFloat32x8((*[8]float32)(v[i : i+8])).Mul(b2).Add(o2.Mul(gi).Mul(gi))
		mi.Store((*[8]float32)(m[i : i+8]))
		vi.Store((*[8]float32)(v[i : i+8]))
		archsimd.LoadFloat32x8((*[8]float32)(p[i : i+8])).Mul(dc).Add(st.Mul(mi).Div(vi.Sqrt().Div(sq).Add(ep))).Store((*[8]float32)(p[i : i+8]))
	}
	archsimd.ClearAVXUpperBits()
	adamwPlain(p[n:], m[n:], v[n:], g[n:], c)
}
