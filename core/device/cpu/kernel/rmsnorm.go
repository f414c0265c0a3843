package kernel

import "math"

// RMSNorm sets y = x·w/sqrt(mean(x²)+eps) for one row (Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019) and
// returns the factor 1/sqrt(…). y may be x.
func RMSNorm(y, x, w []float32, eps float64) (rstd float32) {
	n := len(x)
	mustHave("a slice of RMSNorm", min(len(y), len(w)), n)
	rstd = ReciprocalRMS(x, eps)
	active.mulScaled(y[:n], x, w[:n], rstd)
	return rstd
}

// ReciprocalRMS is the factor 1/sqrt(mean(x²)+eps) of one row.
func ReciprocalRMS(x []float32, eps float64) float32 {
	return float32(1 / math.Sqrt(SumSquares(x)/float64(len(x))+eps))
}

// AddProduct adds a·b·factor to y, element by element.
func AddProduct(y, a, b []float32, factor float32) {
	mustHave("a slice of AddProduct", min(len(a), len(b)), len(y))
	active.mulAddScaled(y, a[:len(y)], b[:len(y)], factor)
}

// RMSNormGrad sets dx and adds to dw for one row, from the row's x, w, dy and the factor that RMSNorm returned:
// dw += dy·x·rstd and dx = rstd·(dy·w - x·rstd²·mean(dy·w·x)). dw may be nil; dx may be dy.
func RMSNormGrad(dx, dw, x, w, dy []float32, rstd float32) {
	n := len(x)
	mustHave("a slice of RMSNormGrad", min(len(dx), len(w), len(dy)), n)
	c := rstd * rstd * rstd * active.dot3(dy[:n], w[:n], x) / float32(n)
	if dw != nil {
		mustHave("dw of RMSNormGrad", len(dw), n)
		active.mulAddScaled(dw[:n], dy[:n], x, rstd)
	}
	active.rmsGrad(dx[:n], dy[:n], w[:n], x, rstd, c)
}

func mulScaledPlain(y, x, w []float32, s float32) {
	y, w = y[:len(x)], w[:len(x)]
	for i, v := range x {
		y[i] = v * s * w[i]
	}
}

func mulAddScaledPlain(y, a, b []float32, s float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] += a[i] * b[i] * s
	}
}

func rmsGradPlain(dx, dy, w, x []float32, rstd, c float32) {
	dy, w, x = dy[:len(dx)], w[:len(dx)], x[:len(dx)]
	for i := range dx {
		dx[i] = rstd*(dy[i]*w[i]) - c*x[i]
	}
}
