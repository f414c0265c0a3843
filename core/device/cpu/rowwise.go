package cpu

import (
	"slices"

	"hone/core/device/cpu/kernel"
	"hone/core/op"
)

// Operators that work on rows of a matrix, or sum over them column by column; kernel has their loops.

// columns is the width of the strips of columns that a sum over rows is cut into: some cache lines of each row.
const columns = 64

// normWeight is what a norm multiplies by: the weight, or 1 + weight with unit_offset.
func (d *Device) normWeight(s *step) []float32 {
	w := s.in[1].F
	if s.call.Attrs["unit_offset"] == 0 {
		return w
	}
	factor := d.floats(len(w))
	for i, x := range w {
		factor[i] = x + 1
	}
	return factor
}

// fastRMSNorm and its gradients work on groups of the weight's length, one or more a row.
func fastRMSNorm(d *Device, s *step) {
	n, eps := s.in[1].Type.Shape[0], s.call.Attrs["eps"]
	x, w, y := s.in[0].F, d.normWeight(s), s.call.Out[0].F
	d.pool.RunCoarse(len(x)/n, leastElements/n, func(_, lo, hi int) {
		for r := lo * n; r < hi*n; r += n {
			kernel.RMSNorm(y[r:r+n], x[r:r+n], w, eps)
		}
	})
}

func fastRMSNormGradX(d *Device, s *step) {
	n, eps := s.in[1].Type.Shape[0], s.call.Attrs["eps"]
	x, w, dy, dx := s.in[0].F, d.normWeight(s), s.in[2].F, s.call.Out[0].F
	d.pool.RunCoarse(len(x)/n, leastElements/n, func(_, lo, hi int) {
		for r := lo * n; r < hi*n; r += n {
			kernel.RMSNormGrad(dx[r:r+n], nil, x[r:r+n], w, dy[r:r+n], kernel.ReciprocalRMS(x[r:r+n], eps))
		}
	})
}

func fastRMSNormGradWeight(d *Device, s *step) {
	n, eps := s.call.Out[0].Type.Shape[0], s.call.Attrs["eps"]
	x, dy, dw := s.in[0].F, s.in[1].F, s.call.Out[0].F
	groups := len(x) / n
	rstd := d.floats(groups)
	d.pool.RunCoarse(groups, leastElements/n, func(_, lo, hi int) {
		for r := lo; r < hi; r++ {
			rstd[r] = kernel.ReciprocalRMS(x[r*n:][:n], eps)
		}
	})
	d.pool.RunCoarse((n+columns-1)/columns, leastElements/(columns*groups), func(_, lo, hi int) {
		lo, hi = lo*columns, min(hi*columns, n)
		clear(dw[lo:hi])
		for r := range groups {
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
		if len(s.in) > 2 {
			move(dt[lo*n:hi*n], s.in[2].F[lo*n:hi*n])
		} else {
			clear(dt[lo*n : hi*n])
		}
		for row, id := range ids {
			if int(id) >= lo && int(id) < hi {
				dst := dt[int(id)*n:][:n]
				kernel.Add(dst, dst, dy[row*n:][:n])
			}
		}
	})
}

// move copies values, unless they are there.
func move(to, from []float32) {
	if len(to) > 0 && &to[0] != &from[0] {
		copy(to, from)
	}
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
	head, interleaved := op.RopeHeadDim(s.call.Attrs, half), s.call.Attrs["interleaved"] != 0
	sin, cos := d.angles(s.in[1].I, s.in[2].F)
	d.pool.RunCoarse(s.units, leastElements/n, func(_, lo, hi int) {
		for r := lo; r < hi; r++ {
			x, y, sin, cos := x[r*n:][:n], y[r*n:][:n], sin[r*half:][:half], cos[r*half:][:half]
			if head == 2*half && !interleaved {
				kernel.RoPE(y, x, sin, cos, sign)
				continue
			}
			for h := 0; h < n; h += head {
				turned := 2 * half
				if interleaved {
					kernel.RoPEInterleaved(y[h:h+turned], x[h:h+turned], sin, cos, sign)
				} else {
					kernel.RoPE(y[h:h+turned], x[h:h+turned], sin, cos, sign)
				}
				copy(y[h+turned:h+head], x[h+turned:h+head])
			}
		}
	})
}
