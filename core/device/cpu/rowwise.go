package cpu

import "hone/core/device/cpu/kernel"

// Operators that go through memory once, row by row or piece by piece; kernel has their loops.

func fastRMSNorm(d *Device, s *step) {
	n, eps := s.in[0].Type.Shape[1], s.call.Attrs["eps"]
	x, w, y := s.in[0].F, s.in[1].F, s.call.Out[0].F
	d.pool.Run(s.units, func(_, lo, hi int) {
		for r := lo * n; r < hi*n; r += n {
			kernel.RMSNorm(y[r:r+n], x[r:r+n], w, eps)
		}
	})
}

func fastRMSNormGradX(d *Device, s *step) {
	n, eps := s.in[0].Type.Shape[1], s.call.Attrs["eps"]
	x, w, dy, dx := s.in[0].F, s.in[1].F, s.in[2].F, s.call.Out[0].F
	d.pool.Run(s.units, func(_, lo, hi int) {
		for r := lo * n; r < hi*n; r += n {
			rstd := kernel.RMSNorm(dx[r:r+n], x[r:r+n], w, eps) // only its factor is wanted; dx is written next
			kernel.RMSNormGrad(dx[r:r+n], nil, x[r:r+n], w, dy[r:r+n], rstd)
		}
	})
}

func fastSwiGLU(d *Device, s *step) {
	gate, up, out := s.in[0].F, s.in[1].F, s.call.Out[0].F
	d.pool.Run(s.units, func(_, lo, hi int) { kernel.SwiGLU(out[lo:hi], gate[lo:hi], up[lo:hi]) })
}

func fastSwiGLUGrad(d *Device, s *step) {
	gate, up, dy := s.in[0].F, s.in[1].F, s.in[2].F
	dgate, dup := s.call.Out[0].F, s.call.Out[1].F
	d.pool.Run(s.units, func(_, lo, hi int) {
		kernel.SwiGLUGrad(dgate[lo:hi], dup[lo:hi], gate[lo:hi], up[lo:hi], dy[lo:hi])
	})
}

func fastAdd(d *Device, s *step) {
	x, y, out := s.in[0].F, s.in[1].F, s.call.Out[0].F
	d.pool.Run(s.units, func(_, lo, hi int) {
		if &out[0] != &x[0] {
			copy(out[lo:hi], x[lo:hi])
		}
		kernel.Axpy(out[lo:hi], 1, y[lo:hi])
	})
}

func fastSumSquares(_ *Device, s *step) {
	s.call.Out[0].F[0] = s.in[1].F[0] + float32(kernel.SumSquares(s.in[0].F))
}
