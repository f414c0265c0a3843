//go:build goexperiment.simd && amd64

package kernel

import (
	"simd/archsimd"

	"hone/core/rng"
)

func dropoutSIMD(dst, x []float32, key rng.Key, block uint64, least uint32, keep float32) {
	n := len(x) &^ 15
	if n > 0 {
		d := newPhiloxDrop(key, least, keep)
		d.do(dst[:n], x[:n], block)
	}
	dropoutPlain(dst[n:], x[n:], key, block+uint64(n/4), least, keep)
}

// philoxDrop holds what stays the same, spread over the lanes for use as memory operands: a scalar float in a register beside the
// vectors would stall them.
type philoxDrop struct {
	k0, k1              [10][4]uint64 // the key of each round
	step0, step1        [4]uint64
	mul0, mul1, leastM1 [8]uint32
	keep                [8]float32
	low, half           [4]uint64
	byte                [8]uint32
}

func newPhiloxDrop(key rng.Key, least uint32, keep float32) *philoxDrop {
	const m0, m1, w0, w1 = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85
	d := philoxDrop{keep: spreadx8(keep)}
	a, b := uint32(key.Seed), uint32(key.Seed>>32)
	for r := range d.k0 {
		d.k0[r], d.k1[r] = fourOf(uint64(a)), fourOf(uint64(b))
		a, b = a+w0, b+w1
	}
	d.step0, d.step1, d.low, d.half = fourOf(key.Step), fourOf(key.Step>>32), fourOf(1<<32-1), fourOf(32)
	for i := range 8 {
		d.mul0[i], d.mul1[i], d.leastM1[i], d.byte[i] = m0, m1, least-1, 8
	}
	return &d
}

func fourOf(v uint64) [4]uint64 { return [4]uint64{v, v, v, v} }

// do draws four blocks at a time, one in each 64-bit lane: only such lanes have the widening multiply that Philox is made of
// (rng.Key.Block has the plain form). Where just the lower half of a lane counts, the upper may hold anything.
// The rounds of one step depend on each other, those of the next do not: the processor overlaps them by itself.
func (d *philoxDrop) do(dst, x []float32, block uint64) {
	// The order of blocks in the lanes is the one in which interleaving by halves puts their words in a row.
	at := archsimd.LoadUint64x4(&[4]uint64{block, block + 2, block + 1, block + 3})
	four := archsimd.LoadUint64x4(&[4]uint64{4, 4, 4, 4})
	mul0, mul1 := archsimd.LoadUint32x8(&d.mul0), archsimd.LoadUint32x8(&d.mul1)
	half, byte := archsimd.LoadUint64x4(&d.half), archsimd.LoadUint32x8(&d.byte) // a constant count would pass through a scalar register
	below := archsimd.LoadUint32x8(&d.leastM1).AsInt32x8()
	for i := 0; i < len(x); i += 16 {
		c0, c1, c2, c3 := at, at.ShiftRight(half), archsimd.LoadUint64x4(&d.step0), archsimd.LoadUint64x4(&d.step1)
		c0, c1, c2, c3 = d.round(0, c0, c1, c2, c3, mul0, mul1, half)
		c0, c1, c2, c3 = d.round(1, c0, c1, c2, c3, mul0, mul1, half)
		c0, c1, c2, c3 = d.round(2, c0, c1, c2, c3, mul0, mul1, half)
		c0, c1, c2, c3 = d.round(3, c0, c1, c2, c3, mul0, mul1, half)
		c0, c1, c2, c3 = d.round(4, c0, c1, c2, c3, mul0, mul1, half)
		c0, c1, c2, c3 = d.round(5, c0, c1, c2, c3, mul0, mul1, half)
		c0, c1, c2, c3 = d.round(6, c0, c1, c2, c3, mul0, mul1, half)
		c0, c1, c2, c3 = d.round(7, c0, c1, c2, c3, mul0, mul1, half)
		c0, c1, c2, c3 = d.round(8, c0, c1, c2, c3, mul0, mul1, half)
		c0, c1, c2, c3 = d.round(9, c0, c1, c2, c3, mul0, mul1, half)
		low := archsimd.LoadUint64x4(&d.low)
		c01, c23 := c0.And(low).Or(c1.ShiftLeft(half)), c2.And(low).Or(c3.ShiftLeft(half))
		lo := c01.InterleaveLoGrouped(c23).AsUint32x8().ShiftRight(byte).AsInt32x8().Greater(below)
		hi := c01.InterleaveHiGrouped(c23).AsUint32x8().ShiftRight(byte).AsInt32x8().Greater(below)
		keep := archsimd.LoadFloat32x8(&d.keep)
		archsimd.LoadFloat32x8((*[8]float32)(x[i : i+8])).Mul(keep).Masked(lo).Store((*[8]float32)(dst[i : i+8]))
		archsimd.LoadFloat32x8((*[8]float32)(x[i+8 : i+16])).Mul(keep).Masked(hi).Store((*[8]float32)(dst[i+8 : i+16]))
		at = at.Add(four)
	}
	archsimd.ClearAVXUpperBits()
}

func (d *philoxDrop) round(r int, c0, c1, c2, c3 archsimd.Uint64x4, mul0, mul1 archsimd.Uint32x8, half archsimd.Uint64x4) (_, _, _, _ archsimd.Uint64x4) {
	p0, p1 := c0.AsUint32x8().MulEvenWiden(mul0), c2.AsUint32x8().MulEvenWiden(mul1)
	c0 = p1.ShiftRight(half).Xor(c1).Xor(archsimd.LoadUint64x4(&d.k0[r]))
	c2 = p0.ShiftRight(half).Xor(c3).Xor(archsimd.LoadUint64x4(&d.k1[r]))
	return c0, p1, c2, p0
}
