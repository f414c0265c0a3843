package kernel

import "hone/core/rng"

// ISA names an instruction set that inner loops are written for.
type ISA uint8

const (
	Plain  ISA = iota // portable Go
	AVX2              // 8 lanes, fused multiply-add
	AVX512            // 16 lanes
)

func (i ISA) String() string { return [...]string{"plain", "avx2", "avx512"}[i] }

// loops is the set of inner loops of one instruction set.
type loops struct {
	isa ISA

	// panelMul computes c[i*ldc+j] (=, or += with add) alpha·Σ_t a[i*lda+t]·b[t*ldb+j] for i < m, j < w ≤ PanelWidth, t < k ≤ blockK.
	// All PanelWidth columns of b are read. Each element's sum runs over t in order. tmp has tileScratch floats.
	panelMul func(tmp []float32, m, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc, w int, alpha float32, add bool)
	// transpose sets dst[c*ldd+r] = src[r*lds+c] for r < rows, c < cols.
	transpose func(dst []float32, ldd int, src []float32, lds, rows, cols int)
	// strip and stripMul, which may be nil, are a faster way where A meets many panels. strip prepares stripRows rows of A, element
	// (r, t) = a[r*rs+t*cs]; stripMul multiplies them by one panel as panelMul would, k ≤ stripK.
	strip    func(tmp, dst, a []float32, rs, cs, rows, k int)
	stripMul func(tmp []float32, rows, k int, strip, b, c []float32, ldc, w int, alpha float32, add bool)
	// decode writes table[code]·scale for codes two a byte, the high half first; with odd 1 the first byte's high half is left out.
	decode func(dst []float32, codes []byte, odd int, scale float32, table *[16]float32)
	// widenF16 and widenBF16 write 16-bit numbers as float32; src has as many as dst.
	widenF16, widenBF16 func(dst []float32, src []uint16)
	// dots, which may be nil, computes c[i*ci+j*cj] (=, or += with add) alpha·Σ_t a[i*lda+t]·b(t, j) for i < m, j < n ≤ narrowCols,
	// t < k ≤ narrowK, where b is laid out by interleave.
	dots func(m, k int, a []float32, lda int, b []float32, n int, c []float32, ci, cj int, alpha float32, add bool)

	exp          func(dst, x []float32)
	expShift     func(dst, x []float32, shift float32) float32 // dst = e^(x-shift); returns its sum
	expSum       func(x []float32, shift float32) float32      // Σ e^(x-shift)
	softmaxGrad  func(x []float32, shift, factor float32)      // x = e^(x-shift)·factor
	softmaxBack  func(ds, p []float32, delta, scale float32)   // ds = p·(ds-delta)·scale
	maskRow      func(s []float32, kseg, kpos []int32, seg, first, last int32)
	sigmoid      func(dst, x []float32)
	silu         func(dst, x []float32)
	swiglu       func(dst, gate, up []float32)
	swigluGrad   func(dgate, dup, gate, up, dout []float32)
	gelu         func(dst, x, up []float32, tanh bool)         // dst = gelu(x)·up; up may be nil
	geluGrad     func(dx, dup, x, up, dy []float32, tanh bool) // dup and up may be nil
	maxOf        func(x []float32) float32
	dot          func(a, b []float32) float32
	dot3         func(a, b, c []float32) float32 // Σ a·b·c
	axpy         func(y []float32, alpha float32, x []float32)
	scale        func(y []float32, alpha float32)
	add          func(dst, x, y []float32)
	mul          func(dst, x []float32, alpha float32)
	rotate       func(y, x, sin, cos []float32, sign float32)  // heads of 2·len(sin), see RoPE
	mulScaled    func(y, x, w []float32, s float32)            // y = x·s·w
	mulAddScaled func(y, a, b []float32, s float32)            // y += a·b·s
	rmsGrad      func(dx, dy, w, x []float32, rstd, c float32) // dx = rstd·(dy·w) - c·x
	adamw        func(p, m, v, g []float32, c adamwConsts)
	dropout      func(dst, x []float32, key rng.Key, block uint64, least uint32, keep float32) // whole blocks of four
}

// worthSharing is the number of multiply-adds from which on a product is split among workers: some 30 µs of work.
func (l *loops) worthSharing() int {
	if l.isa == Plain {
		return 1 << 17
	}
	return 1 << 21
}

// active is the set in use; a wider one replaces it at start where the processor has it, and tests go through all.
var active = &plainLoops

// available lists the sets this machine can run, narrowest first.
var available = []*loops{&plainLoops}

// Active reports the instruction set in use.
func Active() ISA { return active.isa }

var plainLoops = loops{
	isa:       Plain,
	panelMul:  panelMulPlain,
	transpose: transposePlain[float32],
	decode:    decodePlain,
	widenF16:  widenF16Plain,
	widenBF16: widenBF16Plain,

	exp:          expPlain,
	expShift:     expShiftPlain,
	expSum:       expSumPlain,
	softmaxGrad:  softmaxGradPlain,
	softmaxBack:  softmaxBackPlain,
	maskRow:      maskRowPlain,
	sigmoid:      sigmoidPlain,
	silu:         siluPlain,
	swiglu:       swigluPlain,
	swigluGrad:   swigluGradPlain,
	gelu:         geluPlain,
	geluGrad:     geluGradPlain,
	maxOf:        maxPlain,
	dot:          dotPlain,
	dot3:         dot3Plain,
	axpy:         axpyPlain,
	scale:        scalePlain,
	add:          addPlain,
	mul:          mulPlain,
	rotate:       rotatePlain,
	mulScaled:    mulScaledPlain,
	mulAddScaled: mulAddScaledPlain,
	rmsGrad:      rmsGradPlain,
	adamw:        adamwPlain,
	dropout:      dropoutPlain,
}
