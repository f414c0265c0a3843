package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// normal64 is Φ(x) and Φ'(x) in float64.
func normal64(x float64, tanh bool) (p, dp float64) {
	if tanh {
		u, a := math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x), math.Sqrt(2/math.Pi)*(1+3*0.044715*x*x)
		c := 1 / math.Cosh(min(math.Abs(u), 300))
		return 0.5 * (1 + math.Tanh(u)), 0.5 * c * c * a
	}
	return 0.5 * math.Erfc(-x/math.Sqrt2), math.Exp(-x*x/2) / math.Sqrt(2*math.Pi)
}

func TestGELU(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, tanh := range []bool{false, true} {
			for _, n := range vecSizes {
				r := rand.New(rand.NewPCG(9, uint64(n)))
				g, u, d := random(r, n), random(r, n), random(r, n)
				for i := range g {
					g[i] *= 3
				}
				y, dx, glu, dg, du := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
				for i := range g {
					x := float64(g[i])
					p, dp := normal64(x, tanh)
					y[i], dx[i] = x*p, float64(d[i])*(p+x*dp)
					glu[i], dg[i], du[i] = y[i]*float64(u[i]), dx[i]*float64(u[i]), float64(d[i])*y[i]
				}
				what := fmt.Sprintf("%d elements, tanh %v: ", n, tanh)
				got, second := poisoned(n), poisoned(n)
				GELU(got, g, tanh)
				closeTo(t, what+"gelu", got, y, 3e-6)
				GELUGrad(got, g, d, tanh)
				closeTo(t, what+"gelu gradient", got, dx, 1e-5)
				x := append([]float32(nil), g...)
				GELUGrad(x, x, d, tanh)
				same(t, what+"gelu gradient in place", x, got)
				copy(x, g)
				GELU(x, x, tanh)
				GELU(got, g, tanh)
				same(t, what+"gelu in place", x, got)
				if !tanh {
					continue
				}
				GEGLU(got, g, u)
				closeTo(t, what+"geglu", got, glu, 1e-5)
				GEGLUGrad(got, second, g, u, d)
				closeTo(t, what+"dgate", got, dg, 3e-5)
				closeTo(t, what+"dup", second, du, 1e-5)
				GEGLUGrad(g, u, g, u, d)
				same(t, what+"dgate in place", g, got)
				same(t, what+"dup in place", u, second)
			}
			// The tail keeps its digits: gelu(x) of a negative x is as good as a float32 can be, until it is tiny.
			for x := -5.0; x <= 5; x += 0.01 {
				v := []float32{float32(x)}
				p, _ := normal64(float64(v[0]), tanh)
				want := float64(v[0]) * p
				if GELU(v, v, tanh); math.Abs(float64(v[0])-want) > 1e-6*math.Abs(want)*max(1, x*x) {
					t.Fatalf("tanh %v: gelu(%v) is %v, want %v", tanh, x, v[0], want)
				}
			}
			far := []float32{-1e30, -3000, -90, 0, 90, 3000, 1e30, 1e38, -1e38}
			y, dx, ones := poisoned(len(far)), poisoned(len(far)), make([]float32, len(far))
			for i := range ones {
				ones[i] = 1
			}
			GELU(y, far, tanh)
			GELUGrad(dx, far, ones, tanh)
			for i, x := range far {
				slope := float32(0.5)
				if x != 0 {
					slope = max(0, min(1, x))
				}
				if y[i] != max(0, x) || dx[i] != slope {
					t.Errorf("tanh %v: gelu(%v) is %v with slope %v", tanh, x, y[i], dx[i])
				}
			}
		}
	})
}

func TestLayerNorm(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range vecSizes[1:] {
			for _, offset := range []float32{0, 1000} {
				r := rand.New(rand.NewPCG(10, uint64(n)))
				x, w, bias, dy := random(r, n), random(r, n), random(r, n), random(r, n)
				mean, variance := 0.0, 0.0
				for i := range x {
					x[i] += offset
					mean += float64(x[i]) / float64(n)
				}
				for _, v := range x {
					variance += (float64(v) - mean) * (float64(v) - mean) / float64(n)
				}
				rs := 1 / math.Sqrt(variance+1e-2)
				sum, dot := 0.0, 0.0
				for i := range x {
					g := float64(dy[i]) * float64(w[i]) / float64(n)
					sum, dot = sum+g, dot+g*(float64(x[i])-mean)*rs
				}
				y, dx := make([]float64, n), make([]float64, n)
				for i := range x {
					z := (float64(x[i]) - mean) * rs
					y[i] = z*float64(w[i]) + float64(bias[i])
					dx[i] = rs * (float64(dy[i])*float64(w[i]) - sum - z*dot)
				}
				tolerance := 2e-5 * max(1, rs)
				if offset != 0 {
					tolerance *= 50 // the mean itself is rounded to its 2⁻²⁴th
				}
				what := fmt.Sprintf("%d elements around %v: ", n, offset)
				gy, gx := poisoned(n), poisoned(n)
				LayerNorm(gy, x, w, bias, 1e-2)
				closeTo(t, what+"y", gy, y, tolerance)
				LayerNormGrad(gx, x, w, dy, 1e-2)
				closeTo(t, what+"dx", gx, dx, tolerance*max(1, rs))
				m, rstd := Moments(x, 1e-2)
				if math.Abs(float64(m)-mean) > 1e-7*max(1, math.Abs(mean)) || math.Abs(float64(rstd)-rs) > 1e-4*rs {
					t.Errorf("%smoments are %v and %v, want %v and %v", what, m, rstd, mean, rs)
				}
			}
		}
	})
}
