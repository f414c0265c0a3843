package kernel

import "math"

// LayerNorm sets y = (x-mean)·w/sqrt(var+eps) + bias for one row (Ba, Kiros and Hinton, "Layer Normalization", 2016). y may not be
// x.
func LayerNorm(y, x, w, bias []float32, eps float64) {
	n := len(x)
	mustHave("a slice of LayerNorm", min(len(y), len(w), len(bias)), n)
	y = y[:n]
	rstd := centre(y, x, eps)
	active.mulScaled(y, y, w[:n], rstd)
	active.add(y, y, bias[:n])
}

// centre sets c = x - mean(x) and returns 1/sqrt(var+eps) of the row; c may not be x. The squares are summed after the mean is
// taken off, so that a large mean does no harm.
func centre(c, x []float32, eps float64) (rstd float32) {
	c = c[:len(x)]
	mean := meanOf(x)
	for i, v := range x {
		c[i] = v - mean
	}
	return float32(1 / math.Sqrt(SumSquares(c)/float64(len(x))+eps))
}

// Moments are the mean and 1/sqrt(var+eps) of one row.
func Moments(x []float32, eps float64) (mean, rstd float32) {
	mean = meanOf(x)
	var centred [256]float32
	sum := 0.0
	for i := 0; i < len(x); i += len(centred) {
		piece := x[i:min(i+len(centred), len(x))]
		for j, v := range piece {
			centred[j] = v - mean
		}
		sum += SumSquares(centred[:len(piece)])
	}
	return mean, float32(1 / math.Sqrt(sum/float64(len(x))+eps))
}

// meanOf adds in float64, in four sums.
func meanOf(x []float32) float32 {
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(x); i += 4 {
		v := (*[4]float32)(x[i : i+4])
		s0 += float64(v[0])
		s1 += float64(v[1])
		s2 += float64(v[2])
		s3 += float64(v[3])
	}
	for ; i < len(x); i++ {
		s0 += float64(x[i])
	}
	return float32(((s0 + s1) + (s2 + s3)) / float64(len(x)))
}

// LayerNormGrad sets dx for one row from the row's x, w and dy: with z = (x-mean)·rstd and g = dy·w,
// dx = rstd·(g - mean(g) - z·mean(g·z)). dx may be none of the others.
func LayerNormGrad(dx, x, w, dy []float32, eps float64) {
	n := len(x)
	mustHave("a slice of LayerNormGrad", min(len(dx), len(w), len(dy)), n)
	dx, w, dy = dx[:n], w[:n], dy[:n]
	rstd := centre(dx, x, eps)
	shift := rstd * active.dot(dy, w) / float32(n)
	c := rstd * rstd * rstd * active.dot3(dy, w, dx) / float32(n)
	active.rmsGrad(dx, dy, w, dx, rstd, c)
	for i := range dx {
		dx[i] -= shift
	}
}
