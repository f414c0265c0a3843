package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// eachISA runs f with every set of inner loops that this machine has.
func eachISA(t *testing.T, f func(t *testing.T)) {
	saved := active
	defer func() { active = saved }()
	for _, l := range available {
		active = l
		t.Run(l.isa.String(), f)
	}
}

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func poisoned(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.NaN())
	}
	return x
}

// closeTo compares with an absolute tolerance; NaN, which an unwritten element still is, never passes.
func closeTo(t *testing.T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(float64(got[i])-want[i]) <= tol) {
			t.Fatalf("%s: element %d is %v, want %v (tolerance %g)", what, i, got[i], want[i], tol)
		}
	}
}

func same(t *testing.T, what string, a, b []float32) {
	t.Helper()
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			t.Fatalf("%s: element %d is %v and %v", what, i, a[i], b[i])
		}
	}
}

func TestPoolCoversEachUnitOnce(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5} {
		p := NewPool(n)
		for _, units := range []int{0, 1, 2, 7, 1000} {
			seen := make([]int32, units)
			for range 50 {
				p.Run(units, func(worker, lo, hi int) {
					if worker < 0 || worker >= n {
						t.Errorf("worker %d of %d", worker, n)
					}
					for i := lo; i < hi; i++ {
						seen[i]++
					}
				})
			}
			for least := range 4 {
				p.RunCoarse(units, 100*least*least, func(_, lo, hi int) {
					for i := lo; i < hi; i++ {
						seen[i]++
					}
				})
			}
			for i, s := range seen {
				if s != 54 {
					t.Fatalf("%d workers: unit %d of %d ran %d times in 54 jobs", n, i, units, s)
				}
			}
		}
		p.Close()
		p.Close()
	}
}

type product struct {
	m, n, k int
	alpha   float32
	add     bool
}

func (s product) String() string {
	return fmt.Sprintf("%dx%dx%d_alpha%g_add%v", s.m, s.n, s.k, s.alpha, s.add)
}

var products = []product{
	{1, 1, 1, 1, false}, {1, 1, 1, 0.5, true}, {1, 64, 64, 1, false}, {2, 3, 5, 2, true}, {3, 33, 257, 1, false}, {4, 32, 256, 1, false},
	{5, 31, 255, 1, true}, {8, 65, 300, 0.25, false}, {9, 96, 513, 1, true}, {33, 8, 70, 1, false}, {64, 64, 8, 1, true},
	{70, 100, 40, 1, false}, {130, 8, 513, 2, false}, {300, 36, 65, 1, false}, {1030, 40, 20, 1, true}, {17, 130, 0, 1, false}, {6, 0, 4, 1, false},
	{20, 256, 97, 1, false}, {23, 260, 100, 0.5, true}, {64, 1100, 192, 1, false}, {531, 257, 33, 1, false}, {3, 20, 1100, 1, false}, {40, 12, 1040, 2, true},
}

func TestGemm(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	eachISA(t, func(t *testing.T) {
		for _, s := range products {
			r := rand.New(rand.NewPCG(1, uint64(s.m*1000+s.n*10+s.k)))
			x, w := random(r, s.m*s.k), random(r, s.k*s.n) // op(A), op(B) row-major
			c0 := random(r, s.m*s.n)
			want := make([]float64, s.m*s.n)
			for i := range s.m {
				for j := range s.n {
					sum := 0.0
					for k := range s.k {
						sum += float64(x[i*s.k+k]) * float64(w[k*s.n+j])
					}
					want[i*s.n+j] = float64(s.alpha) * sum
					if s.add {
						want[i*s.n+j] += float64(c0[i*s.n+j])
					}
				}
			}
			const gap = 3 // leading dimensions longer than the rows
			xt, wt := transposed(x, s.m, s.k), transposed(w, s.k, s.n)
			wPanels, wtPanels := append([]float32{}, w...), append([]float32{}, wt...)
			PackInPlace(wPanels, s.k, s.n, nil)
			PackInPlace(wtPanels, s.n, s.k, nil)
			as := map[string]A{
				"Rows": Rows(x, s.k), "Cols": Cols(xt, s.m),
				"RowsGap": Rows(widened(x, s.m, s.k, gap), s.k+gap), "ColsGap": Cols(widened(xt, s.k, s.m, gap), s.m+gap),
			}
			bs := map[string]B{
				"Weight": Weight(w, s.n), "WeightT": WeightT(wt, s.k),
				"WeightGap": Weight(widened(w, s.k, s.n, gap), s.n+gap), "WeightTGap": WeightT(widened(wt, s.n, s.k, gap), s.k+gap),
				"Panels": Panels(wPanels), "PanelsT": PanelsT(wtPanels),
				"Coded": Coded(func(dst []float32, from int) { copy(dst, w[from:from+len(dst)]) }), "CodedT": CodedT(func(dst []float32, from int) { copy(dst, wt[from:from+len(dst)]) }),
			}
			for an, a := range as {
				for bn, b := range bs {
					ldc := s.n + 2
					c := poisoned(s.m * ldc)
					if s.add {
						for i := range s.m {
							copy(c[i*ldc:], c0[i*s.n:(i+1)*s.n])
						}
					}
					p.Gemm(s.m, s.n, s.k, s.alpha, a, b, c, ldc, s.add)
					got := make([]float32, 0, s.m*s.n)
					for i := range s.m {
						got = append(got, c[i*ldc:i*ldc+s.n]...)
						if c[i*ldc+s.n] == c[i*ldc+s.n] {
							t.Fatalf("%v %s %s: wrote beyond row %d", s, an, bn, i)
						}
					}
					closeTo(t, fmt.Sprintf("%v %s %s", s, an, bn), got, want, 2e-6*math.Sqrt(float64(s.k+1))*4)
				}
			}
		}
	})
}

func transposed(x []float32, rows, cols int) []float32 {
	y := make([]float32, len(x))
	for r := range rows {
		for c := range cols {
			y[c*rows+r] = x[r*cols+c]
		}
	}
	return y
}

// widened puts NaN between the rows; reading one would show.
func widened(x []float32, rows, cols, gap int) []float32 {
	y := poisoned(rows * (cols + gap))
	for r := range rows {
		copy(y[r*(cols+gap):], x[r*cols:(r+1)*cols])
	}
	return y
}

func TestGemmThreadsAgree(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, s := range []product{{m: 130, n: 200, k: 300, alpha: 1}, {m: 333, n: 333, k: 200, alpha: 1}, {m: 1, n: 700, k: 513, alpha: 1}, {m: 700, n: 8, k: 400, alpha: 0.5}, {m: 1100, n: 70, k: 33, alpha: 1}} {
			r := rand.New(rand.NewPCG(2, 3))
			x, w := random(r, s.m*s.k), random(r, s.k*s.n)
			wp := append([]float32{}, w...)
			PackInPlace(wp, s.n, s.k, nil)
			for name, ab := range map[string]struct {
				a A
				b B
			}{"Rows WeightT": {Rows(x, s.k), WeightT(w, s.k)}, "Rows Weight": {Rows(x, s.k), Weight(w, s.n)}, "Cols Weight": {Cols(x, s.m), Weight(w, s.n)}, "Rows PanelsT": {Rows(x, s.k), PanelsT(wp)}} {
				var first []float32
				for _, n := range []int{1, 2, 3, 5} {
					p := NewPool(n)
					c := poisoned(s.m * s.n)
					p.Gemm(s.m, s.n, s.k, s.alpha, ab.a, ab.b, c, s.n, false)
					p.Close()
					if first == nil {
						first = c
					}
					same(t, fmt.Sprintf("%v %s with %d workers", s, name, n), first, c)
				}
			}
		}
	})
}

func TestPackInPlace(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 5))
		for _, s := range [][2]int{{1, 1}, {32, 7}, {33, 64}, {95, 17}, {64, 100}} {
			out, in := s[0], s[1]
			w := random(r, out*in)
			p := append([]float32{}, w...)
			PackInPlace(p, out, in, nil)
			for i := range out {
				for j := range in {
					first := i / PanelWidth * PanelWidth
					width := min(PanelWidth, out-first)
					if got := p[first*in+j*width+i-first]; got != w[i*in+j] {
						t.Fatalf("%v: element (%d, %d) became %v, want %v", s, i, j, got, w[i*in+j])
					}
				}
			}
			UnpackInPlace(p, out, in, make([]float32, PanelWidth*in))
			same(t, "unpacked", p, w)
		}
	})
}

func TestGemmAllocatesNothing(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	p.Reserve(GemmScratch)
	r := rand.New(rand.NewPCG(7, 7))
	x, w, c := random(r, 100*100), random(r, 100*100), make([]float32, 100*100)
	if n := testing.AllocsPerRun(20, func() {
		p.Gemm(100, 100, 100, 1, Rows(x, 100), WeightT(w, 100), c, 100, false)
		p.Gemm(100, 100, 100, 1, Cols(x, 100), Weight(w, 100), c, 100, true)
	}); n != 0 {
		t.Errorf("Gemm allocates %v times", n)
	}
	if got := p.ScratchFloats(); got != 2*GemmScratch {
		t.Errorf("scratch holds %d floats, want %d", got, 2*GemmScratch)
	}
}
