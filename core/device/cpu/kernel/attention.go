package kernel

import "math"

// Attention describes one attention operation with grouped heads: query head h reads key/value head h/(Heads/KV).
//
// q and out are [Batch·Tq, Heads·Dim]; k and v are [Batch·Tk, KV·Dim]; lse is [Batch·Tq, Heads].
// Key j is visible to query i of the same batch row iff
//
//	QSeg[i] != 0 && (KSeg[j] == QSeg[i] || KSeg[j] == -1) && KPos[j] <= QPos[i] && (Window == 0 || QPos[i]-KPos[j] < Window)
type Attention struct {
	Batch, Tq, Tk  int
	Heads, KV, Dim int
	Window         int
	Scale          float32 // the scores are Scale·q·k
	QSeg, QPos     []int32 // [Batch·Tq]
	KSeg, KPos     []int32 // [Batch·Tk]
}

// attnBlock is the number of queries, and of keys, whose scores are computed together. It is a multiple of PanelWidth.
const attnBlock = 64

// AttentionScratch is the scratch that either direction needs for each worker, in floats. It does not depend on lengths.
func AttentionScratch(heads, kv, dim int) int {
	dimPad := (dim + PanelWidth - 1) / PanelWidth * PanelWidth
	forward := attnBlock*dim + attnBlock*dimPad + attnBlock*attnBlock + 2*attnBlock*(heads/max(kv, 1))
	backward := 5*attnBlock*dim + 4 + attnBlock*dimPad + 2*attnBlock*attnBlock
	return tileScratch + max(forward, backward)
}

// AttentionForward computes out = softmax(Scale·q·kᵀ)·v over the visible keys, streaming over blocks of keys with a running maximum
// (Dao et al., "FlashAttention", 2022; Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018).
// lse receives the logarithm of each softmax denominator, as the backward pass needs it.
// A query that sees no key gets out 0 and lse 0.
func (p *Pool) AttentionForward(s Attention, q, k, v, out, lse []float32) {
	s.check(q, k, v, out, lse)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reserve(AttentionScratch(s.Heads, s.KV, s.Dim))
	p.attn = attnJob{Attention: s, q: q, k: k, v: v, out: out, lse: lse}
	p.run(s.Batch*s.KV*blocks(s.Tq), 1, (*attnForward)(&p.attn))
	p.attn = attnJob{}
}

func (s *Attention) check(q, k, v, out, lse []float32) {
	if s.Batch < 0 || s.Tq < 0 || s.Tk < 0 || s.KV <= 0 || s.Heads%s.KV != 0 || s.Dim <= 0 || s.Window < 0 {
		panic("kernel: attention over impossible sizes")
	}
	mustHave("q of attention", len(q), s.Batch*s.Tq*s.Heads*s.Dim)
	mustHave("k of attention", len(k), s.Batch*s.Tk*s.KV*s.Dim)
	mustHave("v of attention", len(v), s.Batch*s.Tk*s.KV*s.Dim)
	mustHave("out of attention", len(out), s.Batch*s.Tq*s.Heads*s.Dim)
	mustHave("lse of attention", len(lse), s.Batch*s.Tq*s.Heads)
	mustHave("query segments", min(len(s.QSeg), len(s.QPos)), s.Batch*s.Tq)
	mustHave("key segments", min(len(s.KSeg), len(s.KPos)), s.Batch*s.Tk)
}

func blocks(n int) int { return (n + attnBlock - 1) / attnBlock }

// attnJob is one call in progress; its pass types say what a unit is.
type attnJob struct {
	Attention
	q, k, v, out, lse []float32
	dout, dq, dk, dv  []float32
}

// attnForward's unit is a block of queries of one batch row and key/value head, with all query heads that read it.
type attnForward attnJob

func (f *attnForward) do(p *Pool, worker, lo, hi int) {
	nq := blocks(f.Tq)
	for u := lo; u < hi; u++ {
		f.unit(p.scratch[worker], u/nq/f.KV, u/nq%f.KV, u%nq)
	}
}

func (f *attnForward) unit(scratch []float32, batch, kvh, qb int) {
	j := (*attnJob)(f)
	c := carver(scratch)
	group, dim := f.Heads/f.KV, f.Dim
	tmp := c.take(tileScratch)
	kt := c.take(attnBlock * dim)
	vp := c.take(attnBlock * padded(dim))
	scores := c.take(attnBlock * attnBlock)
	rowMax, rowSum := c.take(group*attnBlock), c.take(group*attnBlock)

	q0 := batch*f.Tq + qb*attnBlock
	nq := min(attnBlock, f.Tq-qb*attnBlock)
	head0 := kvh * group
	ldq, ldk := f.Heads*dim, f.KV*dim
	for i := range rowMax {
		rowMax[i] = negInf
	}
	clear(rowSum)
	for i := range nq {
		clear(f.out[(q0+i)*ldq+head0*dim:][:group*dim])
	}
	for kb := range blocks(f.Tk) {
		k0 := batch*f.Tk + kb*attnBlock
		nk := min(attnBlock, f.Tk-kb*attnBlock)
		seen := j.classify(q0, nq, k0, nk)
		if seen == nothing {
			continue
		}
		rows := k0*ldk + kvh*dim
		packT(kt, f.k[rows:], ldk, nk, dim)
		packRows(vp, f.v[rows:], ldk, nk, dim)
		for h := range group {
			at := q0*ldq + (head0+h)*dim
			mulPackedT(tmp, nq, dim, f.q[at:], ldq, kt, scores, nk, f.Scale)
			if seen == some {
				j.mask(scores, q0, nq, k0, nk)
			}
			for i := range nq {
				s := scores[i*attnBlock:][:nk]
				m, r := &rowMax[h*attnBlock+i], &rowSum[h*attnBlock+i]
				top := max(*m, active.maxOf(s))
				if top == negInf && !hasNaN(s) { // maxOf passes over NaN; a row of nothing else must not look blind
					clear(s)
					continue
				}
				if top == negInf {
					top = float32(math.NaN())
				}
				sum := active.expShift(s, s, top)
				if top != *m {
					if *m == negInf { // the output so far is 0
						*r = sum
					} else {
						fix := exp32(*m - top)
						*r = *r*fix + sum
						active.scale(f.out[at+i*ldq:][:dim], fix)
					}
					*m = top
				} else {
					*r += sum
				}
			}
			mulPacked(tmp, nq, nk, scores, vp, dim, f.out[at:], ldq, true)
		}
	}
	for i := range nq {
		for h := range group {
			m, r := rowMax[h*attnBlock+i], rowSum[h*attnBlock+i]
			l := &f.lse[(q0+i)*f.Heads+head0+h]
			if m == negInf {
				*l = 0
				continue
			}
			*l = m + float32(math.Log(float64(r)))
			active.scale(f.out[(q0+i)*ldq+(head0+h)*dim:][:dim], 1/r)
		}
	}
}

func hasNaN(x []float32) bool {
	for _, v := range x {
		if v != v {
			return true
		}
	}
	return false
}
