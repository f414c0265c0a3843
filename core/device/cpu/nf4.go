package cpu

import (
	"hone/core/device/cpu/kernel"
	"hone/core/quant"
)

// A weight in NF4 is decoded inside the product. With few rows that happens panel by panel, in the first-level cache. With many it
// happens once for all of them, into panels of some columns at a time; so never more than these exist in 32 bits.
const (
	decodeRows  = 32      // from so many rows on
	decodeFloat = 1 << 21 // floats decoded at a time,
	decodeLeast = 256     // but no fewer than so many columns, without which the product would be slow
	decodeTerms = 2 * kernel.NF4Block
)

// nf4Columns is how many columns of op(W), each of k terms, are decoded at a time.
func nf4Columns(n, k int) int {
	return min((n+kernel.PanelWidth-1)/kernel.PanelWidth*kernel.PanelWidth, max(decodeLeast, decodeFloat/k/decodeLeast*decodeLeast))
}

// decodeNF4 is q.Dequantize with the fast loops.
func decodeNF4(q *quant.NF4, dst []float32, from int) {
	var scales [16]float32
	for len(dst) > 0 {
		first := from / kernel.NF4Block
		n := min(len(dst), (first+len(scales))*kernel.NF4Block-from)
		q.Scales(scales[:(from+n-1)/kernel.NF4Block-first+1], first)
		kernel.DecodeNF4(dst[:n], q.Codes, from, scales[:], &quant.NF4Table)
		dst, from = dst[n:], from+n
	}
}

// multiplyNF4 is Gemm with W [n, k] transposed, or W [k, n], in NF4.
func (d *Device) multiplyNF4(m, n, k int, alpha float32, a kernel.A, q *quant.NF4, transposed bool, c []float32, add bool) {
	most := nf4Columns(n, k)
	if need := most * k; len(d.decoded) < need {
		d.decoded = make([]float32, need)
	}
	if d.tiles == nil {
		d.tiles = make([][kernel.PanelWidth * decodeTerms]float32, d.pool.Workers())
	}
	const width = kernel.PanelWidth
	for j0 := 0; j0 < n; j0 += most {
		columns := min(most, n-j0)
		if transposed {
			d.pool.Run((columns+width-1)/width, func(worker, lo, hi int) {
				rows := d.tiles[worker][:]
				for j := lo * width; j < min(hi*width, columns); j += width {
					w := min(width, columns-j)
					for t := 0; t < k; t += decodeTerms {
						terms := min(decodeTerms, k-t)
						for r := range w {
							decodeNF4(q, rows[r*decodeTerms:][:terms], (j0+j+r)*k+t)
						}
						kernel.PackPanel(d.decoded[j*k+t*w:], rows, decodeTerms, w, terms)
					}
				}
			})
		} else {
			d.pool.Run((k+15)/16, func(_, lo, hi int) { // rows of W in turn: they lie in memory that way
				for t := 16 * lo; t < min(16*hi, k); t++ {
					for j := 0; j < columns; j += width {
						w := min(width, columns-j)
						decodeNF4(q, d.decoded[j*k+t*w:][:w], t*n+j0+j)
					}
				}
			})
		}
		d.pool.Gemm(m, columns, k, alpha, a, kernel.PanelsT(d.decoded), c[j0:], n, add)
	}
}
