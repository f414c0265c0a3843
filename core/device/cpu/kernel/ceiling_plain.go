//go:build !(goexperiment.simd && amd64)

package kernel

func fma(x float32) (sum float32, lanes int) { return fmaPlain(x) }
