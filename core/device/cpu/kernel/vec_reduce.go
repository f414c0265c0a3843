package kernel

import "math"

// Dot is Σ a·b, in float32 with a fixed order for a given length.
func Dot(a, b []float32) float32 {
	mustHave("b of Dot", len(b), len(a))
	return active.dot(a, b[:len(a)])
}

// Axpy adds alpha·x to y.
func Axpy(y []float32, alpha float32, x []float32) {
	mustHave("y of Axpy", len(y), len(x))
	active.axpy(y[:len(x)], alpha, x)
}

// Scale multiplies y by alpha.
func Scale(y []float32, alpha float32) { active.scale(y, alpha) }

// Add sets dst = x + y; dst may be either.
func Add(dst, x, y []float32) {
	mustHave("a slice of Add", min(len(x), len(y)), len(dst))
	active.add(dst, x[:len(dst)], y[:len(dst)])
}

// Mul sets dst = alpha·x; dst may be x.
func Mul(dst, x []float32, alpha float32) {
	mustHave("x of Mul", len(x), len(dst))
	active.mul(dst, x[:len(dst)], alpha)
}

// SumSquares is Σ x², with float64 between pieces of 4096 elements, in a fixed order.
func SumSquares(x []float32) float64 {
	total := 0.0
	for i := 0; i < len(x); i += sumBlock {
		piece := x[i:min(i+sumBlock, len(x))]
		if s := active.dot(piece, piece); s > 1e-20 && s < 1e37 {
			total += float64(s)
		} else { // what may have left float32's range, or lost digits at its lower end
			for _, v := range piece {
				total += float64(v) * float64(v)
			}
		}
	}
	return total
}

func dotPlain(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(a); i += 4 {
		x, y := (*[4]float32)(a[i:i+4]), (*[4]float32)(b[i:i+4])
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

func dot3Plain(a, b, c []float32) float32 {
	b, c = b[:len(a)], c[:len(a)]
	var s [4]float32
	for i, x := range a {
		s[i&3] += x * b[i] * c[i]
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

func axpyPlain(y []float32, alpha float32, x []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += alpha * v
	}
}

func scalePlain(y []float32, alpha float32) {
	for i := range y {
		y[i] *= alpha
	}
}

func addPlain(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] + y[i]
	}
}

func mulPlain(dst, x []float32, alpha float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] = alpha * x[i]
	}
}

func maxPlain(x []float32) float32 {
	top := float32(math.Inf(-1))
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	return top
}
