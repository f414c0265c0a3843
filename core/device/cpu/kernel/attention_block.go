package kernel

import "math"

var negInf = float32(math.Inf(-1))

// carver hands out consecutive pieces of a scratch slice.
type carver []float32

func (c *carver) take(n int) []float32 {
	s := (*c)[:n:n]
	*c = (*c)[n:]
	return s
}

func padded(dim int) int { return (dim + PanelWidth - 1) / PanelWidth * PanelWidth }

// packT writes n ≤ attnBlock rows of dim columns as panels of PanelWidth rows each, transposed: panel r/32 holds element (r, c)
// at c·32 + r%32.
func packT(dst, src []float32, ld, n, dim int) {
	for r := 0; r < n; r += PanelWidth {
		panel := dst[r*dim:][:dim*PanelWidth]
		w := min(PanelWidth, n-r)
		if w < PanelWidth {
			clear(panel)
		}
		active.transpose(panel, PanelWidth, src[r*ld:], ld, w, dim)
	}
}

// packRows writes n ≤ attnBlock rows of dim columns as panels of PanelWidth columns each: panel c/32 holds element (r, c)
// at r·32 + c%32.
func packRows(dst, src []float32, ld, n, dim int) {
	for c := 0; c < dim; c += PanelWidth {
		spread(dst[c*attnBlock:], src[c:], ld, min(PanelWidth, dim-c), n)
	}
}

// mulPackedT computes the m×n scores alpha·a·bᵀ, rows attnBlock apart, from b packed by packT.
func mulPackedT(tmp []float32, m, dim int, a []float32, lda int, b, scores []float32, n int, alpha float32) {
	for j := 0; j < n; j += PanelWidth {
		panel := b[j*dim:]
		for t := 0; t < dim; t += blockK {
			active.panelMul(tmp, m, min(blockK, dim-t), a[t:], lda, panel[t*PanelWidth:], PanelWidth,
				scores[j:], attnBlock, min(PanelWidth, n-j), alpha, t > 0)
		}
	}
}

// mulPacked computes the m×dim product of a (m×n, rows attnBlock apart) and b packed by packRows.
func mulPacked(tmp []float32, m, n int, a, b []float32, dim int, c []float32, ldc int, add bool) {
	for d := 0; d < dim; d += PanelWidth {
		active.panelMul(tmp, m, n, a, attnBlock, b[d*attnBlock:], PanelWidth, c[d:], ldc, min(PanelWidth, dim-d), 1, add)
	}
}

// mulBlock adds the m×n product of a (m×k) and b (k×n) to c; the rows of all three are attnBlock apart.
func mulBlock(tmp []float32, m, k int, a, b, c []float32, n int) {
	for j := 0; j < n; j += PanelWidth {
		active.panelMul(tmp, m, k, a, attnBlock, b[j:], attnBlock, c[j:], attnBlock, min(PanelWidth, n-j), 1, true)
	}
}

// visibility of a block of keys to a block of queries.
type visibility uint8

const (
	nothing visibility = iota
	some
	everything
)

// classify looks only at the extremes of segments and positions: nothing and everything are certain, some may be either.
func (f *attnJob) classify(q0, nq, k0, nk int) visibility {
	lo, hi := int32(math.MaxInt32), int32(math.MinInt32)
	qs, qe := lo, hi // range of segments
	q1, q2 := lo, hi // range of positions
	all := true
	for i := q0; i < q0+nq; i++ {
		if f.QSeg[i] == 0 {
			all = false
			continue
		}
		qs, qe = min(qs, f.QSeg[i]), max(qe, f.QSeg[i])
		q1, q2 = min(q1, f.QPos[i]), max(q2, f.QPos[i])
	}
	ks, ke, k1, k2 := lo, hi, lo, hi
	global := false
	for j := k0; j < k0+nk; j++ {
		switch f.KSeg[j] {
		case 0:
			all = false
			continue
		case -1:
			global = true
		default:
			ks, ke = min(ks, f.KSeg[j]), max(ke, f.KSeg[j])
		}
		k1, k2 = min(k1, f.KPos[j]), max(k2, f.KPos[j])
	}
	switch {
	case qs > qe || k1 > k2: // no query, or no key
		return nothing
	case !global && (ks > qe || ke < qs):
		return nothing
	case k1 > q2:
		return nothing
	case f.Window > 0 && int(q1)-int(k2) >= f.Window:
		return nothing
	}
	if all && (ks > ke || qs == qe && ks == ke && ks == qs) && k2 <= q1 && (f.Window == 0 || int(q2)-int(k1) < f.Window) {
		return everything
	}
	return some
}

// mask sets the scores of invisible pairs to minus infinity.
func (f *attnJob) mask(scores []float32, q0, nq, k0, nk int) {
	kseg, kpos := f.KSeg[k0:k0+nk], f.KPos[k0:k0+nk]
	for i := range nq {
		row := scores[i*attnBlock:][:nk]
		seg, pos := f.QSeg[q0+i], f.QPos[q0+i]
		if seg == 0 {
			for j := range row {
				row[j] = negInf
			}
			continue
		}
		first := int32(math.MinInt32)
		if f.Window > 0 {
			first = int32(max(int(pos)-f.Window+1, math.MinInt32))
		}
		active.maskRow(row, kseg, kpos, seg, first, pos)
	}
}

// maskRowPlain keeps s[j] where key j is of segment seg or -1 and first ≤ kpos[j] ≤ last.
func maskRowPlain(s []float32, kseg, kpos []int32, seg, first, last int32) {
	kseg, kpos = kseg[:len(s)], kpos[:len(s)]
	for j := range s {
		if (kseg[j] != seg && kseg[j] != -1) || kpos[j] > last || kpos[j] < first {
			s[j] = negInf
		}
	}
}
