package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

var vecSizes = []int{0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 100, 1023, 4097, 9000}

func TestExp(t *testing.T) {
	inf := float32(math.Inf(1))
	eachISA(t, func(t *testing.T) {
		var x []float32
		for v := float32(-110); v < 95; v += 0.00371 {
			x = append(x, v)
		}
		x = append(x, 0, float32(math.Copysign(0, -1)), 88.7228, 88.8, 1e30, -1e30, inf, -inf, -87.4, -100, -103.9, -104)
		got := poisoned(len(x))
		Exp(got, x)
		worst := 0.0
		for i, v := range x {
			want := math.Exp(float64(v))
			switch {
			case float32(want) == inf || want == 0:
				if got[i] != float32(want) {
					t.Fatalf("exp(%v) = %v, want %v", v, got[i], want)
				}
			case want < 0x1p-126: // subnormal: the spacing bounds the error
				if math.Abs(float64(got[i])-want) > 0x1p-149 {
					t.Fatalf("exp(%v) = %v, want %v", v, got[i], want)
				}
			default:
				worst = max(worst, math.Abs(float64(got[i])-want)/want)
			}
		}
		if worst > 1.5e-7 {
			t.Errorf("largest relative error %g", worst)
		}
		nan := []float32{float32(math.NaN()), 1, float32(math.NaN())}
		Exp(nan, nan)
		if nan[0] == nan[0] || nan[2] == nan[2] || math.Abs(float64(nan[1])-math.E) > 1e-6 {
			t.Errorf("exp of NaN, 1, NaN is %v", nan)
		}
	})
}

func TestActivations(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range vecSizes {
			r := rand.New(rand.NewPCG(3, uint64(n)))
			g, u, d := random(r, n), random(r, n), random(r, n)
			for i := range g {
				g[i] *= 10
			}
			sig, silu, glu, dg, du := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
			for i := range g {
				x := float64(g[i])
				s := 1 / (1 + math.Exp(-x))
				sig[i], silu[i], glu[i] = s, x*s, x*s*float64(u[i])
				dg[i], du[i] = float64(d[i])*float64(u[i])*s*(1+x*(1-s)), float64(d[i])*x*s
			}
			y, z := poisoned(n), poisoned(n)
			Sigmoid(y, g)
			closeTo(t, "sigmoid", y, sig, 3e-7)
			SiLU(z, g)
			closeTo(t, "silu", z, silu, 3e-5)
			y = poisoned(n)
			SwiGLU(y, g, u)
			closeTo(t, "swiglu", y, glu, 3e-5)
			y, z = poisoned(n), poisoned(n)
			SwiGLUGrad(y, z, g, u, d)
			closeTo(t, "dgate", y, dg, 3e-5)
			closeTo(t, "dup", z, du, 3e-5)
			SwiGLUGrad(g, u, g, u, d) // in place
			same(t, "dgate in place", g, y)
			same(t, "dup in place", u, z)
		}
		x := make([]float32, 20)
		for i := range x {
			x[i] = []float32{-200, 200, float32(math.Inf(-1)), float32(math.Inf(1)), 0}[i%5]
		}
		y, s := poisoned(20), poisoned(20)
		SiLU(y, x)
		Sigmoid(s, x)
		for i := range x {
			if want := max(x[i], 0); y[i] != want {
				t.Errorf("silu(%v) = %v, want %v", x[i], y[i], want)
			}
			if want := []float32{0, 1, 0, 1, 0.5}[i%5]; s[i] != want {
				t.Errorf("sigmoid(%v) = %v, want %v", x[i], s[i], want)
			}
		}
	})
}

func TestSoftmaxRow(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range vecSizes[1:] {
			r := rand.New(rand.NewPCG(4, uint64(n)))
			x := random(r, n)
			for i := range x {
				x[i] = x[i]*5 - 300
			}
			top, sum := math.Inf(-1), 0.0
			for _, v := range x {
				top = max(top, float64(v))
			}
			for _, v := range x {
				sum += math.Exp(float64(v) - top)
			}
			gotTop, gotSum := SoftmaxStats(x)
			if float64(gotTop) != top || math.Abs(float64(gotSum)-sum) > 2e-6*sum {
				t.Fatalf("%d values: max %v and sum %v, want %v and %v", n, gotTop, gotSum, top, sum)
			}
			label := n / 2
			want := make([]float64, n)
			for i, v := range x {
				want[i] = math.Exp(float64(v)-top) / sum * 0.3
			}
			want[label] -= 0.3
			SoftmaxGrad(x, gotTop, gotSum, label, 0.3)
			closeTo(t, "softmax gradient", x, want, 1e-6)
		}
		if _, sum := SoftmaxStats([]float32{1, float32(math.NaN()), 2}); sum == sum {
			t.Errorf("a NaN logit gives the sum %v", sum)
		}
		x := []float32{1, 2}
		SoftmaxGrad(x, 2, 1, -5, 1)
		closeTo(t, "gradient with the label elsewhere", x, []float64{math.Exp(-1), 1}, 1e-6)
	})
}

func TestReductions(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range vecSizes {
			r := rand.New(rand.NewPCG(5, uint64(n)))
			a, b := random(r, n), random(r, n)
			dot, sq := 0.0, 0.0
			want, scaled := make([]float64, n), make([]float64, n)
			for i := range a {
				dot += float64(a[i]) * float64(b[i])
				sq += float64(a[i]) * float64(a[i])
				want[i] = float64(b[i]) + 0.7*float64(a[i])
				scaled[i] = want[i] * 3
			}
			if got := Dot(a, b); math.Abs(float64(got)-dot) > 1e-6*float64(n+1) {
				t.Errorf("%d: dot %v, want %v", n, got, dot)
			}
			if got := SumSquares(a); math.Abs(got-sq) > 1e-6*sq {
				t.Errorf("%d: sum of squares %v, want %v", n, got, sq)
			}
			y := append([]float32{}, b...)
			Axpy(y, 0.7, a)
			closeTo(t, "axpy", y, want, 1e-6)
			Scale(y, 3)
			closeTo(t, "scale", y, scaled, 3e-6)
		}
		if got := SumSquares([]float32{1e30, 1e30}); math.Abs(got-2e60) > 1e54 {
			t.Errorf("sum of squares beyond float32: %v", got)
		}
		if got := SumSquares([]float32{1, float32(math.NaN())}); got == got {
			t.Errorf("sum of squares of NaN: %v", got)
		}
	})
}

// Rounded to float32 after every operation, the update must agree to the last bit with the plain reading of PyTorch's loop.
func TestAdamW(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range vecSizes {
			r := rand.New(rand.NewPCG(6, uint64(n)))
			p, m, v, g := random(r, n), make([]float32, n), make([]float32, n), random(r, n)
			p64, m64, v64 := widen(p), widen(m), widen(v)
			pw, mw, vw := append([]float32{}, p...), make([]float32, n), make([]float32, n)
			const lr = 1e-2
			s := AdamWStep{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1, LR: lr, GradScale: 0.5}
			for step := range 3 {
				c1, c2 := 1-math.Pow(s.Beta1, float64(step+1)), 1-math.Pow(s.Beta2, float64(step+1))
				s.StepSize, s.RootCorrection = float32(lr/c1), float32(math.Sqrt(c2))
				AdamW(p, m, v, g, s)
				for i := range p {
					x := g[i] * s.GradScale
					pw[i] = pw[i] * float32(1-float64(s.LR)*s.WeightDecay)
					d := x - mw[i]
					e := float32(1-s.Beta1) * d
					mw[i] += e
					a, b := vw[i]*float32(s.Beta2), float32(1-s.Beta2)*x
					b = b * x
					vw[i] = a + b
					den := float32(math.Sqrt(float64(vw[i])))
					den = den / float32(math.Sqrt(c2))
					den += float32(s.Eps)
					st := float32(-lr/c1) * mw[i]
					st = st / den
					pw[i] += st
					gi := float64(g[i]) * 0.5
					p64[i] -= lr * s.WeightDecay * p64[i]
					m64[i] = s.Beta1*m64[i] + (1-s.Beta1)*gi
					v64[i] = s.Beta2*v64[i] + (1-s.Beta2)*gi*gi
					p64[i] -= lr / c1 * m64[i] / (math.Sqrt(v64[i])/math.Sqrt(c2) + s.Eps)
				}
			}
			same(t, fmt.Sprintf("%d parameters", n), p, pw)
			same(t, "first moments", m, mw)
			same(t, "second moments", v, vw)
			closeTo(t, "parameters", p, p64, 2e-6)
		}
	})
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func TestRMSNorm(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range vecSizes[1:] {
			r := rand.New(rand.NewPCG(8, uint64(n)))
			x, w, dy, dw0 := random(r, n), random(r, n), random(r, n), random(r, n)
			sq, dot := 0.0, 0.0
			for i := range x {
				sq += float64(x[i]) * float64(x[i])
				dot += float64(dy[i]) * float64(w[i]) * float64(x[i])
			}
			rs := 1 / math.Sqrt(sq/float64(n)+1e-6)
			y, dx, dw := make([]float64, n), make([]float64, n), make([]float64, n)
			for i := range x {
				y[i] = float64(x[i]) * rs * float64(w[i])
				dw[i] = float64(dw0[i]) + float64(dy[i])*float64(x[i])*rs
				dx[i] = rs * (float64(dy[i])*float64(w[i]) - float64(x[i])*rs*rs*dot/float64(n))
			}
			gy, gx := poisoned(n), poisoned(n)
			rstd := RMSNorm(gy, x, w, 1e-6)
			closeTo(t, "y", gy, y, 1e-5)
			RMSNormGrad(gx, dw0, x, w, dy, rstd)
			tol := 2e-5 * max(1, rs*rs)
			closeTo(t, "dx", gx, dx, tol)
			closeTo(t, "dw", dw0, dw, tol)
			RMSNormGrad(dy, nil, x, w, dy, rstd)
			same(t, "dx in place", dy, gx)
		}
	})
}
