package kernel

// block returns the rows k0 … k0+kc of op(B), columns j … j+w, as a slice with rows ldb apart whose columns up to PanelWidth
// may be read. It fills panel where B's own memory does not have that form.
func (b *B) block(panel, decoded []float32, j, w, k0, kc, n, k, m int) (block []float32, ldb int) {
	switch {
	case b.half != nil:
		return b.blockHalf(panel, decoded, j, w, k0, kc, n, k)
	case b.layout == panels && b.trans:
		src := b.data[j*k+k0*w : j*k+(k0+kc)*w]
		if w == PanelWidth {
			return src, PanelWidth
		}
		spread(panel, src, w, w, kc)
	case b.layout == panels:
		pad(panel, w, kc)
		// Row t of op(B) is row t of W: column t%PanelWidth of the panel t/PanelWidth. blockK is a multiple of PanelWidth.
		for t := 0; t < kc; t += PanelWidth {
			pw := min(PanelWidth, k-k0-t)
			active.transpose(panel[t*PanelWidth:], PanelWidth, b.data[(k0+t)*n+j*pw:], pw, w, pw)
		}
	case b.layout == coded && b.trans:
		for r := range w {
			b.decode(decoded[r*kc:(r+1)*kc], (j+r)*k+k0)
		}
		pad(panel, w, kc)
		active.transpose(panel, PanelWidth, decoded, kc, w, kc)
	case b.layout == coded:
		pad(panel, w, kc)
		for t := range kc {
			b.decode(panel[t*PanelWidth:t*PanelWidth+w], (k0+t)*n+j)
		}
	case b.trans:
		pad(panel, w, kc)
		active.transpose(panel, PanelWidth, b.data[j*b.ld+k0:], b.ld, w, kc)
	default:
		src := b.data[k0*b.ld+j:]
		// With few rows of A a copy costs more than the scattered reads it would save.
		if w == PanelWidth && m <= 2*tileRows {
			return src, b.ld
		}
		spread(panel, src, b.ld, w, kc)
	}
	return panel, PanelWidth
}

// spread copies kc rows of w columns, ld apart, into a panel and clears its other columns.
func spread(panel, src []float32, ld, w, kc int) {
	pad(panel, w, kc)
	for t := range kc {
		copy(panel[t*PanelWidth:t*PanelWidth+w], src[t*ld:t*ld+w])
	}
}

// pad clears the columns w and up of a panel: they take part in the arithmetic, and what an earlier job left there could be slow
// (subnormal) to compute with.
func pad(panel []float32, w, kc int) {
	if w < PanelWidth {
		clear(panel[:kc*PanelWidth])
	}
}
