//go:build goexperiment.simd && amd64

package kernel

func panelMulAVX512(tmp []float32, m, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc, w int, alpha float32, add bool) {
	checkPanel(m, k, a, lda, b, ldb, c, ldc, w)
	if w <= PanelWidth/2 && m >= 2*tileRows {
		panelMulHalf(tmp, m, k, a, lda, b, ldb, c, ldc, w, alpha, add)
		return
	}
	i := 0
	if w == PanelWidth {
		for ; i+tileRows <= m && (i+tileRows-1)*lda+k+3 <= len(a); i += tileRows {
			tile4x32(k, &a[i*lda], lda, &b[0], ldb, &c[i*ldc], ldc, alpha, add)
		}
	}
	panelMulAVX512Tail(tmp, i, m, k, a, lda, b, ldb, c, ldc, w, alpha, add)
}

// panelMulAVX512Tail goes on from row i where rows of A end early or a panel is not full.
func panelMulAVX512Tail(tmp []float32, i, m, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc, w int, alpha float32, add bool) {
	tile := tmp[:tileRows*PanelWidth]
	for ; i < m; i += tileRows {
		rows, ld := min(tileRows, m-i), k+4
		pa := edgeRows(tmp, a[i*lda:], lda, rows, k)
		tile4x32(k, &pa[0], ld, &b[0], ldb, &tile[0], PanelWidth, alpha, false)
		storeTile(tile, c[i*ldc:], ldc, rows, w, add)
	}
}

func panelMulAVX2(tmp []float32, m, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc, w int, alpha float32, add bool) {
	checkPanel(m, k, a, lda, b, ldb, c, ldc, w)
	full := m
	if w < PanelWidth {
		full = 0
	}
	i := 0
	for ; i+tileRows <= full && i*lda+3*lda+k+3 <= len(a); i += tileRows {
		tile4x16(k, &a[i*lda], lda, &b[0], ldb, &c[i*ldc], ldc, alpha, add)
		tile4x16(k, &a[i*lda], lda, &b[16], ldb, &c[i*ldc+16], ldc, alpha, add)
	}
	tile := tmp[:tileRows*PanelWidth]
	for ; i < m; i += tileRows {
		rows, ld := min(tileRows, m-i), k+4
		pa := edgeRows(tmp, a[i*lda:], lda, rows, k)
		tile4x16(k, &pa[0], ld, &b[0], ldb, &tile[0], PanelWidth, alpha, false)
		if w > 16 {
			tile4x16(k, &pa[0], ld, &b[16], ldb, &tile[16], PanelWidth, alpha, false)
		}
		storeTile(tile, c[i*ldc:], ldc, rows, w, add)
	}
}

// checkPanel stands in for the bounds checks that the micro-kernels do without.
func checkPanel(m, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc, w int) {
	if m < 1 || k < 1 || k > blockK || w < 1 || w > PanelWidth || lda < 0 || ldb < PanelWidth || ldc < 0 {
		panic("kernel: panel product of impossible sizes")
	}
	mustHave("A of a panel product", len(a), (m-1)*lda+k)
	mustHave("B of a panel product", len(b), (k-1)*ldb+PanelWidth)
	mustHave("C of a panel product", len(c), (m-1)*ldc+w)
}

// edgeRows copies up to four rows where a micro-kernel may read four rows and beyond their ends.
func edgeRows(tmp, a []float32, lda, rows, k int) []float32 {
	pa := tmp[tileRows*PanelWidth:][:tileRows*(k+4)]
	for r := range tileRows {
		from := min(r, rows-1) * lda
		n := copy(pa[r*(k+4):], a[from:from+k])
		clear(pa[r*(k+4)+n : (r+1)*(k+4)])
	}
	return pa
}

func storeTile(tile, c []float32, ldc, rows, w int, add bool) {
	for r := range rows {
		dst, src := c[r*ldc:][:w], tile[r*PanelWidth:][:w]
		if !add {
			copy(dst, src)
			continue
		}
		for j, v := range src {
			dst[j] += v
		}
	}
}
