package cpu

import "hone/core/device/cpu/kernel"

func fastLayerNorm(d *Device, s *step) {
	n, eps := s.in[0].Type.Shape[1], s.call.Attrs["eps"]
	x, w, bias, y := s.in[0].F, s.in[1].F, s.in[2].F, s.call.Out[0].F
	d.pool.RunCoarse(s.units, leastElements/n, func(_, lo, hi int) {
		for r := lo * n; r < hi*n; r += n {
			kernel.LayerNorm(y[r:r+n], x[r:r+n], w, bias, eps)
		}
	})
}

func fastLayerNormGradX(d *Device, s *step) {
	n, eps := s.in[0].Type.Shape[1], s.call.Attrs["eps"]
	x, w, dy, dx := s.in[0].F, s.in[1].F, s.in[2].F, s.call.Out[0].F
	d.pool.RunCoarse(s.units, leastElements/n, func(_, lo, hi int) {
		for r := lo * n; r < hi*n; r += n {
			kernel.LayerNormGrad(dx[r:r+n], x[r:r+n], w, dy[r:r+n], eps)
		}
	})
}

func fastLayerNormGradWeight(d *Device, s *step) {
	rows, n, eps := s.in[0].Type.Shape[0], s.in[0].Type.Shape[1], s.call.Attrs["eps"]
	x, dy, dw := s.in[0].F, s.in[1].F, s.call.Out[0].F
	moments := d.floats(2 * rows) // mean and 1/sqrt(var+eps) of each row
	d.pool.RunCoarse(rows, leastElements/n, func(_, lo, hi int) {
		for r := lo; r < hi; r++ {
			moments[2*r], moments[2*r+1] = kernel.Moments(x[r*n:][:n], eps)
		}
	})
	d.pool.RunCoarse((n+columns-1)/columns, leastElements/(columns*rows), func(_, lo, hi int) {
		var centred [columns]float32
		for at := lo * columns; at < min(hi*columns, n); at += columns {
			end := min(at+columns, n)
			clear(dw[at:end])
			for r := range rows {
				mean := moments[2*r]
				for i, v := range x[r*n+at : r*n+end] {
					centred[i] = v - mean
				}
				kernel.AddProduct(dw[at:end], dy[r*n+at:r*n+end], centred[:], moments[2*r+1])
			}
		}
	})
}
