package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"hone/core/rng"
	"hone/core/tensor"
)

// eachBench runs f for every instruction set and number of workers.
func eachBench(b *testing.B, workers []int, f func(b *testing.B, p *Pool)) {
	saved := active
	defer func() { active = saved }()
	for _, l := range available {
		for _, n := range workers {
			active = l
			p := NewPool(n)
			b.Run(fmt.Sprintf("%v/%d", l.isa, n), func(b *testing.B) { f(b, p) })
			p.Close()
		}
	}
}

func gflops(b *testing.B, flops float64) {
	b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

func BenchmarkGemm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, s := range []struct {
		name    string
		m, n, k int
		a       func(x []float32, m, k int) A
		b       func(w []float32, n, k int) B
	}{
		{"1024_x·WT", 1024, 1024, 1024, rowsOf, weightTOf},
		{"1024_dy·W", 1024, 1024, 1024, rowsOf, weightOf},
		{"1024_dyT·x", 1024, 1024, 1024, colsOf, weightOf},
		{"1024_x·WT_panels", 1024, 1024, 1024, rowsOf, panelsTOf},
		{"1024_dy·W_panels", 1024, 1024, 1024, rowsOf, panelsOf},
		{"decode_1x1024x1024_x·WT", 1, 1024, 1024, rowsOf, weightTOf},
		{"decode_1x1024x1024_panels", 1, 1024, 1024, rowsOf, panelsTOf},
		{"lora_x·AT_1024x8x512", 1024, 8, 512, rowsOf, weightTOf},
		{"lora_h·BT_1024x512x8", 1024, 512, 8, rowsOf, weightTOf},
		{"lora_dyT·h_512x8x1024", 512, 8, 1024, colsOf, weightOf},
		{"lora_dhT·x_8x512x1024", 8, 512, 1024, colsOf, weightOf},
		{"tiny_64x64x64", 64, 64, 64, rowsOf, weightTOf},
	} {
		x, w, c := random(r, s.m*s.k), random(r, s.n*s.k), make([]float32, s.m*s.n)
		b.Run(s.name, func(b *testing.B) {
			eachBench(b, []int{1, 2}, func(b *testing.B, p *Pool) {
				aa, bb := s.a(x, s.m, s.k), s.b(w, s.n, s.k)
				for b.Loop() {
					p.Gemm(s.m, s.n, s.k, 1, aa, bb, c, s.n, false)
				}
				gflops(b, 2*float64(s.m)*float64(s.n)*float64(s.k))
			})
		})
	}
}

// BenchmarkGemmHalf has the products of a LoRA step whose base is in 16 bits; beside each the same one in 32.
func BenchmarkGemmHalf(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, s := range []struct{ m, n, k int }{{1024, 1408, 512}, {256, 896, 896}, {8, 16384, 896}, {1, 4864, 896}} {
		x, w, c := random(r, s.m*s.k), random(r, s.n*s.k), make([]float32, s.m*s.n)
		w16, f16 := make([]uint16, len(w)), make([]uint16, len(w))
		for i, v := range w {
			w16[i], f16[i] = tensor.F32ToBF16(v), tensor.F32ToF16(v/50)
		}
		for _, f := range []struct {
			name string
			b    B
		}{{"panels_f32", PanelsT(w)}, {"panels_bf16", HalfPanelsT(w16, BF16)}, {"panels_f16", HalfPanelsT(f16, F16)},
			{"rows_f32", WeightT(w, s.k)}, {"rows_bf16", HalfWeightT(w16, BF16, s.k)}, {"rows_f16", HalfWeightT(f16, F16, s.k)}} {
			b.Run(fmt.Sprintf("%dx%dx%d_%s", s.m, s.n, s.k, f.name), func(b *testing.B) {
				eachBench(b, []int{1}, func(b *testing.B, p *Pool) {
					for b.Loop() {
						p.Gemm(s.m, s.n, s.k, 1, Rows(x, s.k), f.b, c, s.n, false)
					}
					gflops(b, 2*float64(s.m)*float64(s.n)*float64(s.k))
				})
			})
		}
	}
}

func rowsOf(x []float32, _, k int) A    { return Rows(x, k) }
func colsOf(x []float32, m, _ int) A    { return Cols(x, m) }
func weightOf(w []float32, n, _ int) B  { return Weight(w, n) }
func weightTOf(w []float32, _, k int) B { return WeightT(w, k) }
func panelsOf(w []float32, _, _ int) B  { return Panels(w) }
func panelsTOf(w []float32, _, _ int) B { return PanelsT(w) }

func BenchmarkAttention(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	s, q, k, v := attnCase(r, Attention{Batch: 1, Tq: 1024, Tk: 1024, Heads: 9, KV: 3, Dim: 64}, 1, 0)
	out, lse, dout := make([]float32, len(q)), make([]float32, 1024*9), random(r, len(q))
	dq, dk, dv := make([]float32, len(q)), make([]float32, len(k)), make([]float32, len(k))
	flops := 2 * 1024 * 1024 * 64 * 9.0 // two products, half of the pairs
	b.Run("forward", func(b *testing.B) {
		eachBench(b, []int{1, 2}, func(b *testing.B, p *Pool) {
			for b.Loop() {
				p.AttentionForward(s, q, k, v, out, lse)
			}
			gflops(b, flops)
		})
	})
	b.Run("backward", func(b *testing.B) {
		eachBench(b, []int{1, 2}, func(b *testing.B, p *Pool) {
			p.AttentionForward(s, q, k, v, out, lse)
			for b.Loop() {
				p.AttentionBackward(s, q, k, v, out, lse, dout, dq, dk, dv)
			}
			gflops(b, 2.5*flops)
		})
	})
}

func BenchmarkVec(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	const n = 4096
	x, y, z, w := random(r, n), random(r, n), random(r, n), random(r, n)
	for name, f := range map[string]func(){
		"exp":          func() { Exp(y, x) },
		"swiglu":       func() { SwiGLU(y, x, z) },
		"swigluGrad":   func() { SwiGLUGrad(y, w, x, z, z) },
		"softmaxStats": func() { SoftmaxStats(x) },
		"dot":          func() { Dot(x, z) },
		"dropout":      func() { Dropout(y, x, rng.Key{Seed: 1}, 0, 0.05) },
		"rmsNorm":      func() { RMSNorm(y, x, z, 1e-6) },
		"adamw": func() {
			AdamW(y, w, w, x, AdamWStep{LR: 1e-9, Beta1: 0.9, Beta2: 0.99, Eps: 1, StepSize: 1e-9, RootCorrection: 1, GradScale: 1})
		},
	} {
		b.Run(name, func(b *testing.B) {
			eachBench(b, []int{1}, func(b *testing.B, _ *Pool) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/n, "ns/elem")
			})
		})
	}
}
