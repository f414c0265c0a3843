package kernel

// panelMulPlain works on tiles of 4×4: sixteen sums fit the registers of most processors and of wasm engines.
func panelMulPlain(_ []float32, m, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc, w int, alpha float32, add bool) {
	i := 0
	for ; i+4 <= m; i += 4 {
		a0, a1, a2, a3 := a[i*lda:][:k], a[(i+1)*lda:][:k], a[(i+2)*lda:][:k], a[(i+3)*lda:][:k]
		for j := 0; j < w; j += 4 {
			var c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33 float32
			at := j
			for t, x0 := range a0 {
				x1, x2, x3 := a1[t], a2[t], a3[t]
				bt := (*[4]float32)(b[at : at+4])
				b0, b1, b2, b3 := bt[0], bt[1], bt[2], bt[3]
				c00 += x0 * b0
				c01 += x0 * b1
				c02 += x0 * b2
				c03 += x0 * b3
				c10 += x1 * b0
				c11 += x1 * b1
				c12 += x1 * b2
				c13 += x1 * b3
				c20 += x2 * b0
				c21 += x2 * b1
				c22 += x2 * b2
				c23 += x2 * b3
				c30 += x3 * b0
				c31 += x3 * b1
				c32 += x3 * b2
				c33 += x3 * b3
				at += ldb
			}
			store4(c[i*ldc+j:], w-j, alpha, add, c00, c01, c02, c03)
			store4(c[(i+1)*ldc+j:], w-j, alpha, add, c10, c11, c12, c13)
			store4(c[(i+2)*ldc+j:], w-j, alpha, add, c20, c21, c22, c23)
			store4(c[(i+3)*ldc+j:], w-j, alpha, add, c30, c31, c32, c33)
		}
	}
	for ; i < m; i++ {
		ai := a[i*lda:][:k]
		for j := 0; j < w; j += 4 {
			var c0, c1, c2, c3 float32
			at := j
			for _, x := range ai {
				bt := (*[4]float32)(b[at : at+4])
				c0 += x * bt[0]
				c1 += x * bt[1]
				c2 += x * bt[2]
				c3 += x * bt[3]
				at += ldb
			}
			store4(c[i*ldc+j:], w-j, alpha, add, c0, c1, c2, c3)
		}
	}
}

func store4(c []float32, n int, alpha float32, add bool, v0, v1, v2, v3 float32) {
	v := [4]float32{alpha * v0, alpha * v1, alpha * v2, alpha * v3}
	for j := range min(n, 4) {
		if add {
			c[j] += v[j]
		} else {
			c[j] = v[j]
		}
	}
}

// transposePlain goes by squares, so that neither side's cache lines are fetched more than once.
func transposePlain[E float32 | uint16](dst []E, ldd int, src []E, lds, rows, cols int) {
	const side = 16
	for r0 := 0; r0 < rows; r0 += side {
		r1 := min(r0+side, rows)
		for c0 := 0; c0 < cols; c0 += side {
			c1 := min(c0+side, cols)
			for r := r0; r < r1; r++ {
				at := c0*ldd + r
				for _, v := range src[r*lds+c0 : r*lds+c1] {
					dst[at] = v
					at += ldd
				}
			}
		}
	}
}
