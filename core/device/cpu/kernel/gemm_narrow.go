package kernel

// A low-rank adapter makes products with very few columns, or with very few rows, where whole panels would mostly compute with
// padding. They are summed along k instead, or computed transposed.
const (
	narrowN    = 16   // at most so many columns (or rows)
	narrowCols = 8    // so many are summed together
	narrowK    = 1024 // terms taken at once
	narrowRows = 64   // rows of a unit
	thinGroup  = 16   // panels of a unit of the transposed way
)

// way is how a product is computed.
type way uint8

const (
	byPanels way = iota
	byStrips     // many panels: gemm_strip.go
	byDots       // op(A) has contiguous rows and few columns are wanted
	byDotsT      // op(B) has contiguous columns and few rows are wanted
	byThin       // few columns, both operands with k outermost: computed transposed
)

func (g *gemmJob) choose() way {
	np := (g.n + PanelWidth - 1) / PanelWidth
	switch {
	case active.dots != nil && !g.a.cols && g.b.layout == rowMajor && g.n <= narrowN && g.k >= 32:
		return byDots
	case active.dots != nil && !g.a.cols && g.b.layout == rowMajor && g.b.trans && g.m <= narrowCols && g.k >= 32:
		return byDotsT
	case g.a.cols && g.b.layout == rowMajor && g.b.half == nil && !g.b.trans && g.n <= narrowN && g.m > g.n:
		return byThin
	case active.stripMul != nil && np >= 8 && g.m >= 4*stripRows:
		return byStrips
	}
	return byPanels
}

func (g *gemmJob) planNarrow(workers int) int {
	if g.way == byThin {
		np := (g.m + PanelWidth - 1) / PanelWidth
		g.group = max(1, min(thinGroup, np/(2*workers)))
		return (np + g.group - 1) / g.group
	}
	long := g.m
	if g.way == byDotsT {
		long = g.n
	}
	return (long + narrowRows - 1) / narrowRows
}

// doDots handles byDots and byDotsT; the latter exchanges the operands' roles and writes C transposed.
func (g *gemmJob) doDots(scratch []float32, lo, hi int) {
	if g.b.half != nil {
		g.doDotsHalf(scratch, lo, hi)
		return
	}
	a, lda, m := g.a.data, g.a.ld, g.m
	b, ldb, n, trans := g.b.data, g.b.ld, g.n, g.b.trans
	ci, cj := g.ldc, 1
	if g.way == byDotsT {
		a, lda, m, b, ldb, n = b, ldb, n, a, lda, m
		ci, cj = cj, ci
	}
	packed := scratch[:narrowCols*narrowK]
	i0, i1 := lo*narrowRows, min(hi*narrowRows, m)
	for j := 0; j < n; j += narrowCols {
		w := min(narrowCols, n-j)
		for k0 := 0; k0 < g.k; k0 += narrowK {
			kc := min(narrowK, g.k-k0)
			from, rs, cs := j*ldb+k0, ldb, 1
			if !trans {
				from, rs, cs = k0*ldb+j, 1, ldb
			}
			interleave(packed, b[from:], rs, cs, w, kc)
			active.dots(i1-i0, kc, a[i0*lda+k0:], lda, packed, w, g.c[i0*ci+j*cj:], ci, cj, g.alpha, g.add || k0 > 0)
		}
	}
}

// dotLanes is how many consecutive terms of one column lie together in what interleave writes.
const dotLanes = 16

// interleave writes term t of column j, b[j*rs+t*cs], to dst[t/16*128+j*16+t%16], and 0 where there is none.
func interleave(dst, b []float32, rs, cs, w, kc int) {
	const step = narrowCols * dotLanes
	n := (kc + dotLanes - 1) / dotLanes * step
	if w < narrowCols || kc%dotLanes != 0 {
		clear(dst[:n])
	}
	for j := range w {
		for t := 0; t < kc; t += dotLanes {
			d := dst[t*narrowCols+j*dotLanes:][:min(dotLanes, kc-t)]
			if cs == 1 {
				copy(d, b[j*rs+t:])
				continue
			}
			for l := range d {
				d[l] = b[j*rs+(t+l)*cs]
			}
		}
	}
}

// doThin computes Cᵀ = alpha·op(B)ᵀ·op(A)ᵀ, whose few rows meet the panels that A's own memory holds.
func (g *gemmJob) doThin(scratch []float32, lo, hi int) {
	c := carver(scratch)
	tmp := c.take(tileScratch)
	panel := c.take(blockK * PanelWidth)
	tiles := c.take(thinGroup * narrowN * PanelWidth)
	bt := c.take(narrowN * blockK)
	a := B{data: g.a.data, ld: g.a.ld}
	for u := lo; u < hi; u++ {
		i0 := u * g.group * PanelWidth
		i1 := min(i0+g.group*PanelWidth, g.m)
		for k0 := 0; k0 < g.k; k0 += blockK {
			kc := min(blockK, g.k-k0)
			active.transpose(bt, blockK, g.b.data[k0*g.b.ld:], g.b.ld, kc, g.n)
			for i := i0; i < i1; i += PanelWidth {
				w := min(PanelWidth, g.m-i)
				block, ld := a.block(panel, nil, i, w, k0, kc, g.m, g.k, 1)
				active.panelMul(tmp, g.n, kc, bt, blockK, block, ld, tiles[(i-i0)*narrowN:], PanelWidth, w, 1, k0 > 0)
			}
		}
		for i := i0; i < i1; i++ {
			row := g.c[i*g.ldc : i*g.ldc+g.n]
			from := (i-i0)/PanelWidth*PanelWidth*narrowN + (i-i0)%PanelWidth
			for j := range row {
				v := g.alpha * tiles[from+j*PanelWidth]
				if g.add {
					v += row[j]
				}
				row[j] = v
			}
		}
	}
}
