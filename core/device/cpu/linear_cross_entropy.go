package cpu

import (
	"math"

	"hone/core/device/cpu/kernel"
	"hone/core/op"
)

// The loss over a vocabulary needs logits only where there is a target: rows without one, the prompt and the padding,
// are left out, and the others are gathered a few at a time into the operator's workspace.

// supervised lists the rows that have a target.
func (d *Device) supervised(targets []int32) []int32 {
	d.rows = d.rows[:0]
	for r, t := range targets {
		if t != op.NoTarget {
			d.rows = append(d.rows, int32(r))
		}
	}
	return d.rows
}

// gather copies rows of h into the device's scratch, one below the other.
func (d *Device) gather(h []float32, n int, rows []int32) []float32 {
	if need := len(rows) * n; len(d.gathered) < need {
		d.gathered = make([]float32, need)
	}
	for i, r := range rows {
		copy(d.gathered[i*n:][:n], h[int(r)*n:][:n])
	}
	return d.gathered[:len(rows)*n]
}

func fastLinearCrossEntropy(d *Device, s *step) {
	n, vocab := s.in[0].Type.Shape[1], s.in[1].Type.Shape[0]
	targets, nll, lse, logits := s.in[2].I, s.call.Out[0].F, s.call.Out[1].F, s.call.Out[2]
	clear(nll)
	clear(lse)
	chunk := logits.Type.Shape[0]
	for rows := d.supervised(targets); len(rows) > 0; rows = rows[min(chunk, len(rows)):] {
		part := rows[:min(chunk, len(rows))]
		h := d.gather(s.in[0].F, n, part)
		d.pool.Gemm(len(part), vocab, n, 1, kernel.Rows(h, n), weightOf(s.in[1], true), logits.F, vocab, false)
		d.pool.Run(len(part), func(_, lo, hi int) {
			for i := lo; i < hi; i++ {
				row := logits.F[i*vocab:][:vocab]
				r := part[i]
				top, sum := kernel.SoftmaxStats(row)
				lse[r] = top + float32(math.Log(float64(sum)))
				nll[r] = lse[r] - row[targets[r]]
			}
		})
	}
}

func fastLinearCrossEntropyGrad(d *Device, s *step) {
	n, vocab := s.in[0].Type.Shape[1], s.in[1].Type.Shape[0]
	targets, lse, dnll := s.in[2].I, s.in[3].F, s.in[4].F
	dh, logits := s.call.Out[0].F, s.call.Out[1]
	clear(dh)
	var dw []float32
	if len(s.call.Out) > 2 {
		if dw = s.call.Out[2].F; len(s.in) > 5 {
			move(dw, s.in[5].F)
		} else {
			clear(dw)
		}
	}
	chunk := logits.Type.Shape[0]
	for rows := d.supervised(targets); len(rows) > 0; rows = rows[min(chunk, len(rows)):] {
		part := rows[:min(chunk, len(rows))]
		h := d.gather(s.in[0].F, n, part)
		d.pool.Gemm(len(part), vocab, n, 1, kernel.Rows(h, n), weightOf(s.in[1], true), logits.F, vocab, false)
		d.pool.Run(len(part), func(_, lo, hi int) {
			for i := lo; i < hi; i++ {
				r := part[i]
				kernel.SoftmaxGrad(logits.F[i*vocab:][:vocab], lse[r], 1, int(targets[r]), dnll[r])
			}
		})
		if dw != nil {
			d.pool.Gemm(vocab, n, len(part), 1, kernel.Cols(logits.F, vocab), kernel.Weight(h, n), dw, n, true)
		}
		// h has been used; its memory takes the gradient of these rows.
		d.pool.Gemm(len(part), n, vocab, 1, kernel.Rows(logits.F, vocab), weightOf(s.in[1], false), h, n, false)
		for i, r := range part {
			copy(dh[int(r)*n:][:n], h[i*n:][:n])
		}
	}
}
