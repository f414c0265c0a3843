package kernel

// fmaSteps is how often each accumulator of fma is added to.
const fmaSteps = 1 << 16

// MultiplyAdds does nothing but fused multiply-adds in registers, on all workers, and tells how many operations they were.
func (p *Pool) MultiplyAdds() (flops float64) {
	n := p.Workers()
	sums, lanes := make([]float32, n), make([]int, n)
	p.Run(n, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			sums[i], lanes[i] = fma(float32(i))
		}
	})
	return 2 * fmaSteps * float64(lanes[0]) * float64(n)
}

// CopyAll copies src to dst, which is as long, on all workers.
func (p *Pool) CopyAll(dst, src []float32) {
	p.Run(len(src), func(_, lo, hi int) { copy(dst[lo:hi], src[lo:hi]) })
}

func fmaPlain(x float32) (sum float32, lanes int) {
	a, b, c, d := x, x+1, x+2, x+3
	for range fmaSteps {
		a, b, c, d = a*0.5+x, b*0.5+x, c*0.5+x, d*0.5+x
	}
	return a + b + c + d, 4
}
