package cpu

import "hone/core/device/cpu/kernel"

// attentionOf reads the geometry and the mask of an attention node.
func attentionOf(s *step) kernel.Attention {
	a := s.call.Attrs
	batch := a.Int("batch")
	return kernel.Attention{Batch: batch, Tq: s.in[0].Type.Shape[0] / batch, Tk: s.in[1].Type.Shape[0] / batch,
		Heads: a.Int("heads"), KV: a.Int("kv_heads"), Dim: a.Int("head_dim"), Window: a.Int("window"), Scale: float32(a["scale"]),
		QSeg: s.in[3].I, QPos: s.in[4].I, KSeg: s.in[5].I, KPos: s.in[6].I}
}

func fastAttention(d *Device, s *step) {
	d.pool.AttentionForward(attentionOf(s), s.in[0].F, s.in[1].F, s.in[2].F, s.call.Out[0].F, s.call.Out[1].F)
}

func fastAttentionGrad(d *Device, s *step) {
	d.pool.AttentionBackward(attentionOf(s), s.in[0].F, s.in[1].F, s.in[2].F, s.in[7].F, s.in[8].F, s.in[9].F,
		s.call.Out[0].F, s.call.Out[1].F, s.call.Out[2].F)
}
