package kernel

// planStrips is plan for the way by strips.
func (g *gemmJob) planStrips(np, workers int) int {
	block := stripBlock
	if g.b.layout == coded {
		block *= 4 // decoding costs more than leaving the second-level cache
	}
	cuts := (g.m + block - 1) / block
	g.rows = (g.m + cuts - 1) / cuts
	g.groups = (np + stripGroup - 1) / stripGroup
	if workers > 1 {
		// Filling panels is paid back by rows, spreading strips by panels. Cut rows first, then groups.
		want := 2 * workers
		if cut := (want + g.groups - 1) / g.groups; (g.m+g.rows-1)/g.rows < cut && g.b.layout != coded {
			g.rows = max(16*stripRows, (g.m+cut-1)/cut)
		}
		if blocks := (g.m + g.rows - 1) / g.rows; blocks*g.groups < want {
			g.groups = max(g.groups, min(np/4, (want+blocks-1)/blocks))
		}
	}
	g.rows = (g.rows + stripRows - 1) / stripRows * stripRows
	g.group = (np + g.groups - 1) / g.groups
	g.groups = (np + g.group - 1) / g.group
	return g.groups * ((g.m + g.rows - 1) / g.rows)
}

func (g *gemmJob) doStrips(scratch []float32, lo, hi int) {
	c := carver(scratch)
	tmp := c.take(tileScratch)
	decoded := c.take(blockK * PanelWidth)
	strip := c.take(stripK * stripRows * stripWidth)
	group := c.take(stripK * stripGroup * PanelWidth)
	rs, cs := g.a.ld, 1
	if g.a.cols {
		rs, cs = 1, g.a.ld
	}
	var blocks [stripGroup][]float32

	for u := lo; u < hi; u++ {
		i0 := u / g.groups * g.rows
		i1 := min(i0+g.rows, g.m)
		j0 := u % g.groups * g.group * PanelWidth
		j1 := min(j0+g.group*PanelWidth, g.n)
		for k0 := 0; k0 < g.k; k0 += stripK {
			kc := min(stripK, g.k-k0)
			for n, j := 0, j0; j < j1; n, j = n+1, j+PanelWidth {
				blocks[n], _ = g.b.block(group[n*stripK*PanelWidth:], decoded, j, min(PanelWidth, g.n-j), k0, kc, g.n, g.k, i1-i0)
			}
			for i := i0; i < i1; i += stripRows {
				rows := min(stripRows, i1-i)
				active.strip(tmp, strip, g.a.data[i*rs+k0*cs:], rs, cs, rows, kc)
				for n, j := 0, j0; j < j1; n, j = n+1, j+PanelWidth {
					active.stripMul(tmp, rows, kc, strip, blocks[n], g.c[i*g.ldc+j:], g.ldc, min(PanelWidth, g.n-j), g.alpha, g.add || k0 > 0)
				}
			}
		}
	}
}
