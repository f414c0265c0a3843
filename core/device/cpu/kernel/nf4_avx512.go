//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

var nf4Consts = struct {
	order [16]int8   // brings the bytes to where interleaving by groups of four wants them
	four  [16]uint32 // a count as a vector: a constant one would pass through a scalar register
}{
	[16]int8{0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15},
	[16]uint32{4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4},
}

// decodeAVX512 looks up sixteen codes at a time: the table is a vector, and a permutation by the codes is the look-up. Of an index
// only the lowest four bits count, so that the byte need not be masked.
func decodeAVX512(dst []float32, codes []byte, odd int, scale float32, table *[16]float32) {
	n := len(dst) &^ 31
	if odd != 0 || n == 0 {
		decodePlain(dst, codes, odd, scale, table)
		return
	}
	decode32s(dst[:n], codes[:n/2], spreadx16(scale), table)
	decodePlain(dst[n:], codes[n/2:], 0, scale, table)
}

func decode32s(dst []float32, codes []byte, scale [16]float32, table *[16]float32) {
	t, s := archsimd.LoadFloat32x16(table).AsInt32x16(), archsimd.LoadFloat32x16(&scale)
	order, four := archsimd.LoadInt8x16(&nf4Consts.order), archsimd.LoadUint32x16(&nf4Consts.four)
	for i := 0; i < len(dst); i += 32 {
		odd := archsimd.LoadUint8x16((*[16]uint8)(codes[i/2 : i/2+16])).PermuteOrZero(order).ExtendToUint32()
		even := t.Permute(odd.ShiftRight(four))
		rest := t.Permute(odd)
		even.InterleaveLoGrouped(rest).AsFloat32x16().Mul(s).Store((*[16]float32)(dst[i : i+16]))
		even.InterleaveHiGrouped(rest).AsFloat32x16().Mul(s).Store((*[16]float32)(dst[i+16 : i+32]))
	}
	archsimd.ClearAVXUpperBits()
}
