//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

// fma is for the instruction set in use. Ten accumulators hide the latency of the unit.
func fma(x float32) (sum float32, lanes int) {
	switch active.isa {
	case AVX512:
		f, v := archsimd.BroadcastFloat32x16(0.5), archsimd.BroadcastFloat32x16(x)
		a, b, c, d, e, g, h, i, j, k := v, v, v, v, v, v, v, v, v, v
		for range fmaSteps {
			a, b, c, d, e = a.MulAdd(f, v), b.MulAdd(f, v), c.MulAdd(f, v), d.MulAdd(f, v), e.MulAdd(f, v)
			g, h, i, j, k = g.MulAdd(f, v), h.MulAdd(f, v), i.MulAdd(f, v), j.MulAdd(f, v), k.MulAdd(f, v)
		}
		var out [16]float32
		a.Add(b).Add(c).Add(d).Add(e).Add(g).Add(h).Add(i).Add(j).Add(k).Store(&out)
		return out[0], 160
	case AVX2:
		f, v := archsimd.BroadcastFloat32x8(0.5), archsimd.BroadcastFloat32x8(x)
		a, b, c, d, e, g, h, i, j, k := v, v, v, v, v, v, v, v, v, v
		for range fmaSteps {
			a, b, c, d, e = a.MulAdd(f, v), b.MulAdd(f, v), c.MulAdd(f, v), d.MulAdd(f, v), e.MulAdd(f, v)
			g, h, i, j, k = g.MulAdd(f, v), h.MulAdd(f, v), i.MulAdd(f, v), j.MulAdd(f, v), k.MulAdd(f, v)
		}
		var out [8]float32
		a.Add(b).Add(c).Add(d).Add(e).Add(g).Add(h).Add(i).Add(j).Add(k).Store(&out)
		return out[0], 80
	}
	return fmaPlain(x)
}
