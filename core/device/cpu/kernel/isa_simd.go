//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

func init() {
	cpu := archsimd.X86
	if cpu.AVX2() && cpu.FMA() {
		l := avx2Loops()
		available = append(available, &l)
	}
	if cpu.AVX512() && cpu.FMA() {
		l := avx512Loops()
		available = append(available, &l)
	}
	active = available[len(available)-1]
}

func avx2Loops() loops {
	return loops{
		isa:          AVX2,
		panelMul:     panelMulAVX2,
		decode:       decodePlain,
		widenF16:     widenF16AVX2,
		widenBF16:    widenBF16AVX2,
		transpose:    transposeSIMD,
		dots:         dotsAVX2,
		exp:          expAVX2,
		expShift:     expShiftAVX2,
		expSum:       expSumAVX2,
		softmaxGrad:  softmaxGradAVX2,
		softmaxBack:  softmaxBackAVX2,
		maskRow:      maskRowAVX2,
		sigmoid:      sigmoidAVX2,
		silu:         siluAVX2,
		swiglu:       swigluAVX2,
		swigluGrad:   swigluGradAVX2,
		gelu:         geluAVX2,
		geluGrad:     geluGradAVX2,
		maxOf:        maxAVX2,
		dot:          dotAVX2,
		dot3:         dot3AVX2,
		axpy:         axpyAVX2,
		scale:        scaleAVX2,
		add:          addSIMD,
		mul:          mulSIMD,
		rotate:       rotateSIMD,
		mulScaled:    mulScaledAVX2,
		mulAddScaled: mulAddScaledAVX2,
		rmsGrad:      rmsGradAVX2,
		adamw:        adamwAVX2,
		dropout:      dropoutSIMD,
	}
}

func avx512Loops() loops {
	return loops{
		isa:          AVX512,
		panelMul:     panelMulAVX512,
		decode:       decodeAVX512,
		widenF16:     widenF16AVX512,
		widenBF16:    widenBF16AVX512,
		transpose:    transposeSIMD,
		dots:         dotsAVX512,
		strip:        stripAVX512,
		stripMul:     stripMulAVX512,
		exp:          expAVX512,
		expShift:     expShiftAVX512,
		expSum:       expSumAVX512,
		softmaxGrad:  softmaxGradAVX512,
		softmaxBack:  softmaxBackAVX512,
		maskRow:      maskRowAVX512,
		sigmoid:      sigmoidAVX512,
		silu:         siluAVX512,
		swiglu:       swigluAVX512,
		swigluGrad:   swigluGradAVX512,
		gelu:         geluAVX512,
		geluGrad:     geluGradAVX512,
		maxOf:        maxAVX512,
		dot:          dotAVX512,
		dot3:         dot3AVX512,
		axpy:         axpyAVX512,
		scale:        scaleAVX512,
		add:          addSIMD,
		mul:          mulSIMD,
		rotate:       rotateSIMD,
		mulScaled:    mulScaledAVX512,
		mulAddScaled: mulAddScaledAVX512,
		rmsGrad:      rmsGradAVX512,
		adamw:        adamwAVX512,
		dropout:      dropoutSIMD,
	}
}
