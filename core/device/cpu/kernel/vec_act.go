package kernel

// Sigmoid sets dst = 1/(1+e^-x). dst may be x.
func Sigmoid(dst, x []float32) {
	mustHave("dst of Sigmoid", len(dst), len(x))
	active.sigmoid(dst[:len(x)], x)
}

// SiLU sets dst = x/(1+e^-x). dst may be x.
func SiLU(dst, x []float32) {
	mustHave("dst of SiLU", len(dst), len(x))
	active.silu(dst[:len(x)], x)
}

// SwiGLU sets dst = silu(gate)·up (Shazeer, "GLU Variants Improve Transformer", 2020). dst may be gate or up.
func SwiGLU(dst, gate, up []float32) {
	mustHave("dst of SwiGLU", len(dst), len(gate))
	mustHave("up of SwiGLU", len(up), len(gate))
	active.swiglu(dst[:len(gate)], gate, up[:len(gate)])
}

// SwiGLUGrad sets dgate = dout·up·silu'(gate) and dup = dout·silu(gate), where silu'(x) = σ(x)·(1+x·(1-σ(x))).
// Outputs may be inputs of the same index range.
func SwiGLUGrad(dgate, dup, gate, up, dout []float32) {
	n := len(gate)
	mustHave("a slice of SwiGLUGrad", min(len(dgate), len(dup), len(up), len(dout)), n)
	active.swigluGrad(dgate[:n], dup[:n], gate, up[:n], dout[:n])
}

func sigmoid32(x float32) float32 { return 1 / (1 + exp32(-x)) }

// siluOf keeps the limit 0 at minus infinity, where x·σ(x) would be NaN.
func siluOf(x float32) float32 {
	if x < -expMax {
		return 0
	}
	return x * sigmoid32(x)
}

func sigmoidPlain(dst, x []float32) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] = sigmoid32(v)
	}
}

func siluPlain(dst, x []float32) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] = siluOf(v)
	}
}

func swigluPlain(dst, gate, up []float32) {
	dst, up = dst[:len(gate)], up[:len(gate)]
	for i, g := range gate {
		dst[i] = siluOf(g) * up[i]
	}
}

func swigluGradPlain(dgate, dup, gate, up, dout []float32) {
	dgate, dup, up, dout = dgate[:len(gate)], dup[:len(gate)], up[:len(gate)], dout[:len(gate)]
	for i, g := range gate {
		d, u := dout[i], up[i]
		s := sigmoid32(g)
		y := siluOf(g)
		dup[i] = d * y
		dgate[i] = d * u * (s + y*(1-s))
	}
}
