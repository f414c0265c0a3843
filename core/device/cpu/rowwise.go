package cpu

import (
	"slices"

	"hone/core/device/cpu/kernel"
)

// Operators that work on rows of a matrix, or sum over them column by column; kernel has their loops.

// columns is the width of the strips of columns that a sum over rows is cut into: some cache lines of each row.
const columns = 64

func fastRMSNorm(d *Device, s *step) {
	n, eps := s.in[0].Type.Shape[1], s.call.Attrs["eps"]
	x, w, y := s.in[0].F, s.in[1].F, s.call.Out[0].F
	d.pool.RunCoarse(s.units, leastElements/n, func(_, lo, hi int) {
		for r := lo * n; r < hi*n; r += n {
			kernel.RMSNorm(y[r:r+n], x[r:r+n], w, eps)
		}
	})
}

func fastRMSNormGradX(d *Device, s *step) {
	n, eps := s.in[0].Type.Shape[1], s.call.Attrs["eps"]
	x, w, dy, dx := s.in[0].F, s.in[1].F, s.in[2].F, s.call.Out[0].F
	d.pool.RunCoarse(s.units, leastElements/n, func(_, lo, hi int) {
		for r := lo * n; r < hi*n; r += n {
			kernel.RMSNormGrad(dx[r:r+n], nil, x[r:r+n], w, dy[r:r+n], kernel.ReciprocalRMS(x[r:r+n], eps))
		}
	})
}

func fastRMSNormGradWeight(d *Device, s *step) {
	rows, n, eps := s.in[0].Type.Shape[0], s.in[0].Type.Shape[1], s.call.Attrs["eps"]
	x, dy, dw := s.in[0].F, s.in[1].F, s.call.Out[0].F
	rstd := d.floats(rows)
	d.pool.RunCoarse(rows, leastElements/n, func(_, lo, hi int) {
		for r := lo; r < hi; r++ {
			rstd[r] = kernel.ReciprocalRMS(x[r*n:][:n], eps)
		}
	})
	d.pool.RunCoarse((n+columns-1)/columns, leastElements/(columns*rows), func(_, lo, hi int) {
		lo, hi = lo*columns, min(hi*columns, n)
		clear(dw[lo:hi])
		for r := range rows {
			kernel.AddProduct(dw[lo:hi], dy[r*n+lo:r*n+hi], x[r*n+lo:r*n+hi], rstd[r])
		}
	})
}

func fastAddBias(d *Device, s *step) {
	n := s.in[0].Type.Shape[1]
	x, bias, y := s.in[0].F, s.in[1].F, s.call.Out[0].F
	d.pool.RunCoarse(s.units, leastElements/n, func(_, lo, hi int) {
		for r := lo * n; r < hi*n; r += n {
			kernel.Add(y[r:r+n], x[r:r+n], bias)
		}
	})
}

func fastAddBiasGrad(d *Device, s *step) {
	rows, n := s.in[0].Type.Shape[0], s.in[0].Type.Shape[1]
	dy, dbias := s.in[0].F, s.call.Out[0].F
	d.pool.RunCoarse((n+columns-1)/columns, leastElements/(columns*rows), func(_, lo, hi int) {
		lo, hi = lo*columns, min(hi*columns, n)
		clear(dbias[lo:hi])
		for r := range rows {
			kernel.Add(dbias[lo:hi], dbias[lo:hi], dy[r*n+lo:r*n+hi])
		}
	})
}

func fastEmbeddingGrad(d *Device, s *step) {
	n := s.in[0].Type.Shape[1]
	dy, ids, dt := s.in[0].F, s.in[1].I, s.call.Out[0].F
	d.pool.Run(s.units, func(_, lo, hi int) {
		clear(dt[lo*n : hi*n])
		for row, id := range ids {
			if int(id) >= lo && int(id) < hi {
				dst := dt[int(id)*n:][:n]
				kernel.Add(dst, dst, dy[row*n:][:n])
			}
		}
	})
}

// ropeTable holds the sines and cosines of a batch: all layers, forward and backward, turn by the same angles.
type ropeTable struct {
	positions []int32
	invFreq   []float32
	sin, cos  []float32 // [len(positions), len(invFreq)]
}

// angles brings the table up to date. Comparing is cheap beside one sine a row, and holds across programs and steps.
func (d *Device) angles(positions []int32, invFreq []float32) (sin, cos []float32) {
	t, half := &d.rope, len(invFreq)
	if !slices.Equal(t.positions, positions) || !slices.Equal(t.invFreq, invFreq) {
		t.positions, t.invFreq = append(t.positions[:0], positions...), append(t.invFreq[:0], invFreq...)
		if need := len(positions) * half; cap(t.sin) < need {
			t.sin, t.cos = make([]float32, need), make([]float32, need)
		}
		t.sin, t.cos = t.sin[:len(positions)*half], t.cos[:len(positions)*half]
		d.pool.RunCoarse(len(positions), 256/half, func(_, lo, hi int) {
			for r := lo; r < hi; r++ {
				kernel.RoPEAngles(t.sin[r*half:][:half], t.cos[r*half:][:half], t.invFreq, t.positions[r])
			}
		})
	}
	return t.sin, t.cos
}

func fastRoPE(d *Device, s *step) {
	n, half := s.in[0].Type.Shape[1], s.in[2].Type.Shape[0]
	x, y, sign := s.in[0].F, s.call.Out[0].F, float32(s.call.Attrs["sign"])
	sin, cos := d.angles(s.in[1].I, s.in[2].F)
	d.pool.RunCoarse(s.units, leastElements/n, func(_, lo, hi int) {
		for r := lo; r < hi; r++ {
			kernel.RoPE(y[r*n:][:n], x[r*n:][:n], sin[r*half:][:half], cos[r*half:][:half], sign)
		}
	})
}
