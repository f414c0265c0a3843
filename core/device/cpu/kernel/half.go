package kernel

import "hone/core/tensor"

// Half names the 16-bit floating-point types in which a weight may be stored. Products widen it, which is exact, and
// compute in float32: the result is that of the same weight in float32, bit for bit.
type Half uint8

const (
	F16  Half = iota + 1 // IEEE 754 binary16
	BF16                 // the upper half of binary32
)

// HalfWeight is Weight for a weight in 16 bits.
func HalfWeight(data []uint16, form Half, ld int) B { return B{half: data, form: form, ld: ld} }

// HalfWeightT is WeightT for a weight in 16 bits.
func HalfWeightT(data []uint16, form Half, ld int) B {
	return B{half: data, form: form, ld: ld, trans: true}
}

// HalfPanels is Panels for a weight in 16 bits.
func HalfPanels(data []uint16, form Half) B { return B{layout: panels, half: data, form: form} }

// HalfPanelsT is PanelsT for a weight in 16 bits.
func HalfPanelsT(data []uint16, form Half) B {
	return B{layout: panels, half: data, form: form, trans: true}
}

// Widen writes 16-bit numbers as float32.
func Widen(dst []float32, src []uint16, form Half) {
	mustHave("numbers to widen", len(src), len(dst))
	if form == BF16 {
		active.widenBF16(dst, src)
	} else {
		active.widenF16(dst, src)
	}
}

// blockHalf is block for a weight in 16 bits.
func (b *B) blockHalf(panel, decoded []float32, j, w, k0, kc, n, k int) (block []float32, ldb int) {
	switch {
	case b.layout == panels && b.trans:
		src := b.half[j*k+k0*w : j*k+(k0+kc)*w]
		if w == PanelWidth {
			Widen(panel[:kc*w], src, b.form)
			break
		}
		Widen(decoded[:kc*w], src, b.form)
		spread(panel, decoded, w, w, kc)
	case b.layout == panels:
		pad(panel, w, kc)
		for t := 0; t < kc; t += PanelWidth { // see block
			pw := min(PanelWidth, k-k0-t)
			Widen(decoded[:w*pw], b.half[(k0+t)*n+j*pw:], b.form)
			active.transpose(panel[t*PanelWidth:], PanelWidth, decoded, pw, w, pw)
		}
	case b.trans:
		for r := range w {
			Widen(decoded[r*kc:(r+1)*kc], b.half[(j+r)*b.ld+k0:], b.form)
		}
		pad(panel, w, kc)
		active.transpose(panel, PanelWidth, decoded, kc, w, kc)
	default:
		pad(panel, w, kc)
		for t := range kc {
			Widen(panel[t*PanelWidth:t*PanelWidth+w], b.half[(k0+t)*b.ld+j:], b.form)
		}
	}
	return panel, PanelWidth
}

// widenBF16Plain and widenF16Plain are loops.widenBF16 and loops.widenF16.
func widenBF16Plain(dst []float32, src []uint16) {
	src = src[:len(dst)]
	for i, b := range src {
		dst[i] = tensor.BF16ToF32(b)
	}
}

func widenF16Plain(dst []float32, src []uint16) {
	src = src[:len(dst)]
	for i, h := range src {
		dst[i] = tensor.F16ToF32(h)
	}
}

// doDotsHalf is doDots for a weight in 16 bits: its rows are widened on their way, a few at a time.
func (g *gemmJob) doDotsHalf(scratch []float32, lo, hi int) {
	c := carver(scratch)
	packed := c.take(narrowCols * narrowK)
	wide := c.take(narrowCols * narrowK)
	if g.way == byDotsT { // see doDots: the weight is the left operand
		i0, i1 := lo*narrowRows, min(hi*narrowRows, g.n)
		for k0 := 0; k0 < g.k; k0 += narrowK {
			kc := min(narrowK, g.k-k0)
			interleave(packed, g.a.data[k0:], g.a.ld, 1, g.m, kc)
			for i := i0; i < i1; i += narrowCols {
				rows := min(narrowCols, i1-i)
				for r := range rows {
					Widen(wide[r*kc:(r+1)*kc], g.b.half[(i+r)*g.b.ld+k0:], g.b.form)
				}
				active.dots(rows, kc, wide, kc, packed, g.m, g.c[i:], 1, g.ldc, g.alpha, g.add || k0 > 0)
			}
		}
		return
	}
	i0, i1 := lo*narrowRows, min(hi*narrowRows, g.m)
	for j := 0; j < g.n; j += narrowCols {
		w := min(narrowCols, g.n-j)
		for k0 := 0; k0 < g.k; k0 += narrowK {
			kc := min(narrowK, g.k-k0)
			rs, cs := kc, 1
			if g.b.trans {
				for r := range w {
					Widen(wide[r*kc:(r+1)*kc], g.b.half[(j+r)*g.b.ld+k0:], g.b.form)
				}
			} else {
				rs, cs = 1, w
				for t := range kc {
					Widen(wide[t*w:(t+1)*w], g.b.half[(k0+t)*g.b.ld+j:], g.b.form)
				}
			}
			interleave(packed, wide, rs, cs, w, kc)
			active.dots(i1-i0, kc, g.a.data[i0*g.a.ld+k0:], g.a.ld, packed, w, g.c[i0*g.ldc+j:], g.ldc, 1, g.alpha, g.add || k0 > 0)
		}
	}
}
