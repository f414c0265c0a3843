package kernel

import "math"

// The exact gelu takes erfc(z) = t·e^(-z² + P(t)) with t = 1/(1 + z/2), z ≥ 0 and P of degree 9, whose relative error is below
// 1.2e-7 everywhere (Press et al., "Numerical Recipes", section 6.2). The other one takes σ(a·x + b·x³), which is
// (1 + tanh(√(2/π)·(x + 0.044715·x³)))/2.
const (
	geluA = 1.5957691216057308 // 2·√(2/π)
	geluB = geluA * 0.044715   //
	geluD = 0.3989422804014327 // 1/√(2π)
	geluZ = 0.7071067811865476 // 1/√2
	geluX = 100                // beyond it Φ is 0 or 1 in float32, in both
	erfc0 = -1.26551223        // coefficients of P
	erfc1 = 1.00002368         //
	erfc2 = 0.37409196         //
	erfc3 = 0.09678418         //
	erfc4 = -0.18628806        //
	erfc5 = 0.27886807         //
	erfc6 = -1.13520398        //
	erfc7 = 1.48851587         //
	erfc8 = -0.82215223        //
	erfc9 = 0.17087277         //
)

// GELU sets dst = x·Φ(x), Φ the distribution of a standard normal or, with tanh, its approximation (Hendrycks and Gimpel,
// "Gaussian error linear units", 2016). dst may be x.
func GELU(dst, x []float32, tanh bool) {
	mustHave("dst of GELU", len(dst), len(x))
	active.gelu(dst[:len(x)], x, nil, tanh)
}

// GELUGrad sets dx = dy·gelu'(x), gelu'(x) = Φ(x) + x·Φ'(x). dx may be x or dy.
func GELUGrad(dx, x, dy []float32, tanh bool) {
	mustHave("a slice of GELUGrad", min(len(dx), len(dy)), len(x))
	active.geluGrad(dx[:len(x)], nil, x, nil, dy[:len(x)], tanh)
}

// GEGLU sets dst = gelu(gate)·up with the approximation of gelu (Shazeer, "GLU Variants Improve Transformer", 2020). dst may be
// gate or up.
func GEGLU(dst, gate, up []float32) {
	mustHave("a slice of GEGLU", min(len(dst), len(up)), len(gate))
	active.gelu(dst[:len(gate)], gate, up[:len(gate)], true)
}

// GEGLUGrad sets dgate = dout·up·gelu'(gate) and dup = dout·gelu(gate). Outputs may be inputs of the same index range.
func GEGLUGrad(dgate, dup, gate, up, dout []float32) {
	n := len(gate)
	mustHave("a slice of GEGLUGrad", min(len(dgate), len(dup), len(up), len(dout)), n)
	active.geluGrad(dgate[:n], dup[:n], gate, up[:n], dout[:n], true)
}

// normalOf is Φ(x) and Φ'(x).
func normalOf(x float32, tanh bool) (p, dp float32) {
	if tanh {
		s := min(x*x, geluX*geluX)
		p = sigmoid32(x * (geluA + float32(geluB*s)))
		return p, p * (1 - p) * (geluA + float32(3*geluB*s))
	}
	z := min(float32(math.Abs(float64(x)))*geluZ, geluX)
	t := 1 / (1 + 0.5*z)
	y := float32(erfc9)
	for _, c := range [...]float32{erfc8, erfc7, erfc6, erfc5, erfc4, erfc3, erfc2, erfc1, erfc0} {
		y = float32(y*t) + c
	}
	p = 0.5 * t * exp32(y-float32(z*z))
	if x > 0 {
		p = 1 - p
	}
	return p, geluD * exp32(-0.5*min(x*x, geluX*geluX))
}

// geluPlain is dst = gelu(x)·up; up may be nil for 1.
func geluPlain(dst, x, up []float32, tanh bool) {
	dst = dst[:len(x)]
	for i, v := range x {
		p, _ := normalOf(v, tanh)
		y := v * p
		if up != nil {
			y *= up[i]
		}
		dst[i] = y
	}
}

// geluGradPlain is dx = dy·up·gelu'(x) and dup = dy·gelu(x); up and dup may be nil together.
func geluGradPlain(dx, dup, x, up, dy []float32, tanh bool) {
	dx, dy = dx[:len(x)], dy[:len(x)]
	for i, v := range x {
		p, dp := normalOf(v, tanh)
		d := dy[i]
		if up != nil {
			u := up[i]
			dup[i] = d * (v * p)
			d *= u
		}
		dx[i] = d * (p + v*dp)
	}
}
