package kernel

import "math"

// The exponential is 2ⁿ·e^r with n = round(x/ln 2) and |r| ≤ ln 2 / 2; e^r is a degree-7 polynomial with the coefficients of
// Cephes' expf (S. Moshier), ln 2 is subtracted in two parts.
const (
	expLog2e = 1.44269504088896341
	expLn2Hi = 0.693359375
	expLn2Lo = -2.12194440e-4
	expC0    = 1.9875691500e-4
	expC1    = 1.3981999507e-3
	expC2    = 8.3334519073e-3
	expC3    = 4.1665795894e-2
	expC4    = 1.6666665459e-1
	expC5    = 5.0000001201e-1

	expMax = 88.722839  // the largest argument whose exponential is finite
	expMin = -103.97208 // below it the exponential rounds to 0
)

// exp32 is e^x with a relative error of about 1e-7; overflow gives +Inf, underflow subnormals and 0, NaN gives NaN.
func exp32(x float32) float32 {
	switch {
	case x != x:
		return x
	case x > expMax:
		return float32(math.Inf(1))
	case x < expMin:
		return 0
	}
	// Adding 1.5·2^23 rounds to the nearest whole number, which then stands in the low bits.
	const magic = 12582912
	n := float32(x*expLog2e) + magic - magic
	r := x - float32(n*expLn2Hi) - float32(n*expLn2Lo)
	y := float32(expC0)
	y = float32(y*r) + expC1
	y = float32(y*r) + expC2
	y = float32(y*r) + expC3
	y = float32(y*r) + expC4
	y = float32(y*r) + expC5
	y = float32(float32(y*r)*r) + r + 1
	// In two steps, because 2ⁿ alone may be out of range.
	i := int32(n)
	half := i >> 1
	return y * math.Float32frombits(uint32(half+127)<<23) * math.Float32frombits(uint32(i-half+127)<<23)
}

// Exp sets dst[i] = e^x[i], with a relative error of about 1e-7. dst may be x.
func Exp(dst, x []float32) {
	mustHave("dst of Exp", len(dst), len(x))
	active.exp(dst[:len(x)], x)
}

func expPlain(dst, x []float32) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] = exp32(v)
	}
}

// expShiftPlain keeps four sums, as the lanes of a vector would.
func expShiftPlain(dst, x []float32, shift float32) float32 {
	dst = dst[:len(x)]
	var s [4]float32
	for i, v := range x {
		e := exp32(v - shift)
		dst[i] = e
		s[i&3] += e
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

func expSumPlain(x []float32, shift float32) float32 {
	var s [4]float32
	for i, v := range x {
		s[i&3] += exp32(v - shift)
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// sumBlock is how many exponentials SoftmaxStats adds in float32 before it goes on in float64.
const sumBlock = 4096

// SoftmaxStats returns the largest element of x and Σ e^(x-max). A NaN in x makes the sum NaN. An empty x gives -Inf and 0.
func SoftmaxStats(x []float32) (top, sum float32) {
	top = active.maxOf(x)
	total := 0.0
	for i := 0; i < len(x); i += sumBlock {
		total += float64(active.expSum(x[i:min(i+sumBlock, len(x))], top))
	}
	return top, float32(total)
}

// SoftmaxGrad turns a row of logits into the gradient of its cross-entropy, in place:
// x = (e^(x-top)/sum - onehot(label))·scale, with top and sum from SoftmaxStats over the whole row. label counts from the
// beginning of x and may lie outside it, where x is a piece of the row.
func SoftmaxGrad(x []float32, top, sum float32, label int, scale float32) {
	active.softmaxGrad(x, top, scale/sum)
	if uint(label) < uint(len(x)) {
		x[label] -= scale
	}
}

func softmaxGradPlain(x []float32, shift, factor float32) {
	for i, v := range x {
		x[i] = exp32(v-shift) * factor
	}
}

// softmaxBackPlain is ds = p·(ds-delta)·scale.
func softmaxBackPlain(ds, p []float32, delta, scale float32) {
	p = p[:len(ds)]
	for i, d := range ds {
		ds[i] = p[i] * (d - delta) * scale
	}
}
