package cpu

import (
	"hone/core/device/cpu/kernel"
	"hone/core/rng"
)

// Operators that go through memory once, element by element; kernel has their loops.

// leastElements is the piece that is worth handing to another thread: some microseconds of work.
const leastElements = 8192

func fastSwiGLU(d *Device, s *step) {
	gate, up, out := s.in[0].F, s.in[1].F, s.call.Out[0].F
	d.pool.RunCoarse(s.units, leastElements/4, func(_, lo, hi int) { kernel.SwiGLU(out[lo:hi], gate[lo:hi], up[lo:hi]) })
}

func fastSwiGLUGrad(d *Device, s *step) {
	gate, up, dy := s.in[0].F, s.in[1].F, s.in[2].F
	dgate, dup := s.call.Out[0].F, s.call.Out[1].F
	d.pool.RunCoarse(s.units, leastElements/4, func(_, lo, hi int) {
		kernel.SwiGLUGrad(dgate[lo:hi], dup[lo:hi], gate[lo:hi], up[lo:hi], dy[lo:hi])
	})
}

func fastGELU(d *Device, s *step) {
	x, out, tanh := s.in[0].F, s.call.Out[0].F, s.call.Attrs["tanh"] != 0
	d.pool.RunCoarse(s.units, leastElements/4, func(_, lo, hi int) { kernel.GELU(out[lo:hi], x[lo:hi], tanh) })
}

func fastGELUGrad(d *Device, s *step) {
	x, dy, dx, tanh := s.in[0].F, s.in[1].F, s.call.Out[0].F, s.call.Attrs["tanh"] != 0
	d.pool.RunCoarse(s.units, leastElements/4, func(_, lo, hi int) { kernel.GELUGrad(dx[lo:hi], x[lo:hi], dy[lo:hi], tanh) })
}

func fastGEGLU(d *Device, s *step) {
	gate, up, out := s.in[0].F, s.in[1].F, s.call.Out[0].F
	d.pool.RunCoarse(s.units, leastElements/4, func(_, lo, hi int) { kernel.GEGLU(out[lo:hi], gate[lo:hi], up[lo:hi]) })
}

func fastGEGLUGrad(d *Device, s *step) {
	gate, up, dy := s.in[0].F, s.in[1].F, s.in[2].F
	dgate, dup := s.call.Out[0].F, s.call.Out[1].F
	d.pool.RunCoarse(s.units, leastElements/4, func(_, lo, hi int) {
		kernel.GEGLUGrad(dgate[lo:hi], dup[lo:hi], gate[lo:hi], up[lo:hi], dy[lo:hi])
	})
}

func fastAdd(d *Device, s *step) {
	x, y, out := s.in[0].F, s.in[1].F, s.call.Out[0].F
	d.pool.RunCoarse(s.units, leastElements, func(_, lo, hi int) { kernel.Add(out[lo:hi], x[lo:hi], y[lo:hi]) })
}

func fastScale(d *Device, s *step) {
	x, out, factor := s.in[0].F, s.call.Out[0].F, float32(s.call.Attrs["factor"])
	d.pool.RunCoarse(s.units, leastElements, func(_, lo, hi int) { kernel.Mul(out[lo:hi], x[lo:hi], factor) })
}

func fastZerosLike(d *Device, s *step) {
	out := s.call.Out[0].F
	d.pool.RunCoarse(s.units, leastElements, func(_, lo, hi int) { clear(out[lo:hi]) })
}

func fastDropout(d *Device, s *step) {
	x, w, out := s.in[0].F, s.in[1].I, s.call.Out[0].F
	key := rng.Key{Seed: uint64(uint32(w[0])) | uint64(uint32(w[1]))<<32, Step: uint64(uint32(w[2])) | uint64(uint32(w[3]))<<32}
	p, first := s.call.Attrs["p"], uint64(s.call.Attrs.Int("stream"))<<40
	d.pool.RunCoarse((s.units+63)/64, leastElements/4/64, func(_, lo, hi int) { // by whole vectors of words
		lo, hi = 64*lo, min(64*hi, s.units)
		kernel.Dropout(out[lo:hi], x[lo:hi], key, first+uint64(lo), p)
	})
}

// sumPiece is how many squares are added up together; the sums of the pieces are added in order, whoever made them.
const sumPiece = 1 << 16

func fastSumSquares(d *Device, s *step) {
	x := s.in[0].F
	pieces := (len(x) + sumPiece - 1) / sumPiece
	if len(d.sums) < pieces {
		d.sums = make([]float64, pieces)
	}
	d.pool.Run(pieces, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			d.sums[i] = kernel.SumSquares(x[i*sumPiece : min((i+1)*sumPiece, len(x))])
		}
	})
	total := 0.0
	for _, v := range d.sums[:pieces] {
		total += v
	}
	s.call.Out[0].F[0] = s.in[1].F[0] + float32(total)
}

func fastAdamW(d *Device, s *step) {
	a, rates, factor := s.call.Attrs, s.in[5].F, s.in[4].F[0]
	update := kernel.AdamWStep{Beta1: a["beta1"], Beta2: a["beta2"], Eps: a["epsilon"], WeightDecay: a["weight_decay"],
		LR: rates[0], StepSize: rates[1], RootCorrection: rates[2], GradScale: factor}
	grad := s.in[1].F
	d.pool.RunCoarse(s.units, leastElements/4, func(_, lo, hi int) {
		for i, in := range [3]int{0, 2, 3} { // the update runs in place
			if out := s.call.Out[i].F[lo:hi]; &out[0] != &s.in[in].F[lo] {
				copy(out, s.in[in].F[lo:hi])
			}
		}
		if factor-factor == 0 { // finite; otherwise everything stays as it was
			kernel.AdamW(s.call.Out[0].F[lo:hi], s.call.Out[1].F[lo:hi], s.call.Out[2].F[lo:hi], grad[lo:hi], update)
		}
	})
}
