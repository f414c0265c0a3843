package kernel

// PanelWidth is the number of columns of op(B) that the inner loops handle together.
const PanelWidth = 32

const (
	blockK = 256 // terms of a sum taken at once: a panel of blockK×PanelWidth floats stays in the first-level cache
	blockM = 256 // rows taken at once: blockM×blockK floats of A stay in the second-level cache, even when far apart
	blockT = 256 // the same where A has to be transposed into scratch first

	// The way by strips: a strip of A, each element stripWidth times, and one panel stay in the first-level cache,
	// a group of panels in the second.
	stripRows  = 5
	stripWidth = 16
	stripK     = 96
	stripGroup = 32
	stripBlock = 52 * stripRows

	tileRows    = 4
	tileScratch = tileRows*PanelWidth + tileRows*(blockK+4)
)

// GemmScratch is the scratch that Gemm needs for each worker, in floats.
const GemmScratch = tileScratch + max(2*blockK*PanelWidth+blockT*blockK, 2*blockK*PanelWidth+stripK*(stripRows*stripWidth+stripGroup*PanelWidth))

// A is the left operand of a product: op(A) is [m,k].
type A struct {
	data []float32
	ld   int
	cols bool
}

// Rows takes op(A)[i,t] from data[i*ld+t].
func Rows(data []float32, ld int) A { return A{data, ld, false} }

// Cols takes op(A)[i,t] from data[t*ld+i]: the stored matrix is [k,m] and is used transposed.
func Cols(data []float32, ld int) A { return A{data, ld, true} }

type layout uint8

const (
	rowMajor layout = iota
	panels
	coded
)

// B is the right operand of a product: op(B) is [k,n]. It is a weight W in one of three layouts, used as it is or transposed;
// in rows or panels its numbers may have 16 bits (half.go).
type B struct {
	layout layout
	trans  bool
	data   []float32
	half   []uint16 // in the place of data, in the type form
	form   Half
	ld     int
	decode func(dst []float32, from int)
}

// Weight takes op(B)[t,j] from data[t*ld+j].
func Weight(data []float32, ld int) B { return B{data: data, ld: ld} }

// WeightT takes op(B)[t,j] from data[j*ld+t]: W [n,k] used transposed, as in x·Wᵀ.
func WeightT(data []float32, ld int) B { return B{data: data, ld: ld, trans: true} }

// Panels takes a whole W [k,n] (out = k, in = n) that PackInPlace has rearranged, as in dy·W.
func Panels(data []float32) B { return B{layout: panels, data: data} }

// PanelsT takes a whole W [n,k] (out = n, in = k) that PackInPlace has rearranged, used transposed as in x·Wᵀ.
func PanelsT(data []float32) B { return B{layout: panels, data: data, trans: true} }

// Coded takes W [k,n] from decode, which fills dst with the elements from, from+1, … of W flattened row by row.
// decode is called from several goroutines at once.
func Coded(decode func(dst []float32, from int)) B { return B{layout: coded, decode: decode} }

// CodedT takes W [n,k] from decode and uses it transposed, as in x·Wᵀ.
func CodedT(decode func(dst []float32, from int)) B {
	return B{layout: coded, decode: decode, trans: true}
}

// Gemm computes C = alpha·op(A)·op(B), or with add C += alpha·op(A)·op(B). C is [m,n] with rows ldc apart and must not overlap
// A or B. Every element's sum runs over k in order, cut into pieces that depend on the sizes only.
// The blocking follows Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008).
func (p *Pool) Gemm(m, n, k int, alpha float32, a A, b B, c []float32, ldc int, add bool) {
	if m <= 0 || n <= 0 {
		return
	}
	mustHave("C of Gemm", len(c), (m-1)*ldc+n)
	if k <= 0 {
		if !add {
			for i := range m {
				clear(c[i*ldc : i*ldc+n])
			}
		}
		return
	}
	if a.cols {
		mustHave("A of Gemm", len(a.data), (k-1)*a.ld+m)
	} else {
		mustHave("A of Gemm", len(a.data), (m-1)*a.ld+k)
	}
	switch {
	case b.layout == panels:
		mustHave("B of Gemm", len(b.data)+len(b.half), n*k)
	case b.layout == rowMajor && b.trans:
		mustHave("B of Gemm", len(b.data)+len(b.half), (n-1)*b.ld+k)
	case b.layout == rowMajor:
		mustHave("B of Gemm", len(b.data)+len(b.half), (k-1)*b.ld+n)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reserve(GemmScratch)
	g := &p.gemm
	*g = gemmJob{m: m, n: n, k: k, alpha: alpha, a: a, b: b, c: c, ldc: ldc, add: add}
	units, chunk := g.plan(p.Workers()), 1
	if m*n*k < active.worthSharing() {
		chunk = units
	}
	p.run(units, chunk, g)
	*g = gemmJob{}
}

// gemmJob is a product cut into units: a block of rows times a group of panels.
type gemmJob struct {
	m, n, k int
	alpha   float32
	a       A
	b       B
	c       []float32
	ldc     int
	add     bool

	rows   int // rows of a block
	group  int // panels of a group
	groups int // groups in a row of blocks
	way    way
}

// plan chooses the blocks and returns the number of units. It may look at the number of workers because the blocks do not
// change how any element is summed.
func (g *gemmJob) plan(workers int) int {
	np := (g.n + PanelWidth - 1) / PanelWidth
	if g.m*g.n*g.k < active.worthSharing() {
		workers = 1 // waking another worker would take longer
	}
	switch g.way = g.choose(); g.way {
	case byStrips:
		return g.planStrips(np, workers)
	case byDots, byDotsT, byThin:
		return g.planNarrow(workers)
	}
	g.rows, g.group = min(g.m, blockM), 1
	if g.a.cols {
		g.rows, g.group = min(g.m, blockT), np
	}
	if workers > 1 {
		want := 4 * workers
		blocks := (g.m + g.rows - 1) / g.rows
		if g.a.cols {
			per := min(np, (want+blocks-1)/blocks)
			// A group re-packs A, so prefer few wide groups and cut rows further when panels run out.
			g.group = (np + per - 1) / per
		}
		groups := (np + g.group - 1) / g.group
		if groups*blocks < want {
			cut := (want + groups - 1) / groups
			g.rows = max(4*tileRows, (g.m/cut+tileRows-1)/tileRows*tileRows)
		}
	}
	g.rows = min(g.rows, g.m)
	g.groups = (np + g.group - 1) / g.group
	return g.groups * ((g.m + g.rows - 1) / g.rows)
}

func (g *gemmJob) do(p *Pool, worker, lo, hi int) {
	switch g.way {
	case byStrips:
		g.doStrips(p.scratch[worker], lo, hi)
		return
	case byDots, byDotsT:
		g.doDots(p.scratch[worker], lo, hi)
		return
	case byThin:
		g.doThin(p.scratch[worker], lo, hi)
		return
	}
	s := p.scratch[worker]
	tmp, s := s[:tileScratch], s[tileScratch:]
	panel, s := s[:blockK*PanelWidth], s[blockK*PanelWidth:]
	decoded, s := s[:blockK*PanelWidth], s[blockK*PanelWidth:]
	at := s[:blockT*blockK]
	for u := lo; u < hi; u++ {
		i0 := u / g.groups * g.rows
		i1 := min(i0+g.rows, g.m)
		j0 := u % g.groups * g.group * PanelWidth
		j1 := min(j0+g.group*PanelWidth, g.n)
		for k0 := 0; k0 < g.k; k0 += blockK {
			kc := min(blockK, g.k-k0)
			var a []float32
			lda := g.a.ld
			if g.a.cols {
				lda = blockK
				active.transpose(at, lda, g.a.data[k0*g.a.ld+i0:], g.a.ld, kc, i1-i0)
				a = at
			} else {
				a = g.a.data[i0*lda+k0:]
			}
			for j := j0; j < j1; j += PanelWidth {
				w := min(PanelWidth, g.n-j)
				b, ldb := g.b.block(panel, decoded, j, w, k0, kc, g.n, g.k, i1-i0)
				active.panelMul(tmp, i1-i0, kc, a, lda, b, ldb, g.c[i0*g.ldc+j:], g.ldc, w, g.alpha, g.add || k0 > 0)
			}
		}
	}
}
