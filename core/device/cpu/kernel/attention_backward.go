package kernel

// AttentionBackward computes the gradients dq, dk, dv from dout, recomputing the probabilities from lse; out and lse are what
// AttentionForward gave. dq is like q, dk and dv are like k; they are overwritten. Queries that see nothing contribute nothing.
// The sums run over blocks in order, whatever the number of workers.
func (p *Pool) AttentionBackward(s Attention, q, k, v, out, lse, dout, dq, dk, dv []float32) {
	s.check(q, k, v, out, lse)
	s.check(dq, dk, dv, dout, lse)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reserve(AttentionScratch(s.Heads, s.KV, s.Dim))
	p.attn = attnJob{s, q, k, v, out, lse, dout, dq, dk, dv}
	heads, workers := s.Batch*s.KV, p.Workers()
	// One pass over whole heads takes 5 products a block but leaves workers idle when heads are few; two passes over blocks
	// take 4 and 3. Both add the same blocks in the same order, so the choice does not show in the result.
	if 5*((heads+workers-1)/workers)*workers <= 7*heads {
		p.run(heads, 1, (*attnBackHead)(&p.attn))
	} else {
		p.run(heads*blocks(s.Tk), 1, (*attnBackKeys)(&p.attn))
		p.run(heads*blocks(s.Tq), 1, (*attnBackQueries)(&p.attn))
	}
	p.attn = attnJob{}
}

// attnBackHead's unit is one batch row and key/value head.
type attnBackHead attnJob

func (f *attnBackHead) do(p *Pool, worker, lo, hi int) {
	j := (*attnJob)(f)
	for u := lo; u < hi; u++ {
		b := j.backward(p.scratch[worker], u/f.KV, u%f.KV)
		for qb := range blocks(f.Tq) {
			b.clearQueries(qb)
		}
		for kb := range blocks(f.Tk) {
			b.clearKeys()
			packed := false
			for qb := range blocks(f.Tq) {
				packed = b.block(qb, kb, packed, true, true)
			}
			b.storeKeys(kb)
		}
	}
}

// attnBackKeys' unit is a block of keys; it computes dk and dv.
type attnBackKeys attnJob

func (f *attnBackKeys) do(p *Pool, worker, lo, hi int) {
	j := (*attnJob)(f)
	nk := blocks(f.Tk)
	for u := lo; u < hi; u++ {
		b := j.backward(p.scratch[worker], u/nk/f.KV, u/nk%f.KV)
		b.clearKeys()
		packed := false
		for qb := range blocks(f.Tq) {
			packed = b.block(qb, u%nk, packed, false, true)
		}
		b.storeKeys(u % nk)
	}
}

// attnBackQueries' unit is a block of queries; it computes dq.
type attnBackQueries attnJob

func (f *attnBackQueries) do(p *Pool, worker, lo, hi int) {
	j := (*attnJob)(f)
	nq := blocks(f.Tq)
	for u := lo; u < hi; u++ {
		b := j.backward(p.scratch[worker], u/nq/f.KV, u/nq%f.KV)
		b.clearQueries(u % nq)
		for kb := range blocks(f.Tk) {
			b.block(u%nq, kb, false, true, false)
		}
	}
}

// attnBack is a worker's state for one batch row and key/value head.
type attnBack struct {
	*attnJob
	batch, kvh, group   int
	ldq, ldk            int
	tmp, kt, vt, kp     []float32 // kt, vt: the block of keys and values by packT; kp: the keys by packRows
	scores, dscores, tr []float32 // tr: a block of queries' rows, transposed
	accK, accV          []float32 // [Dim, attnBlock]: a row of a product is as long as a block however small the heads are
}

func (f *attnJob) backward(scratch []float32, batch, kvh int) attnBack {
	c := carver(scratch)
	return attnBack{
		attnJob: f, batch: batch, kvh: kvh, group: f.Heads / f.KV, ldq: f.Heads * f.Dim, ldk: f.KV * f.Dim,
		tmp: c.take(tileScratch), kt: c.take(attnBlock * f.Dim), vt: c.take(attnBlock * f.Dim), kp: c.take(attnBlock * padded(f.Dim)),
		scores: c.take(attnBlock * attnBlock), dscores: c.take(attnBlock * attnBlock), tr: c.take(attnBlock*f.Dim + 4),
		accK: c.take(attnBlock * f.Dim), accV: c.take(attnBlock * f.Dim),
	}
}

func (b *attnBack) clearQueries(qb int) {
	for i := qb * attnBlock; i < min((qb+1)*attnBlock, b.Tq); i++ {
		clear(b.dq[(b.batch*b.Tq+i)*b.ldq+b.kvh*b.group*b.Dim:][:b.group*b.Dim])
	}
}

func (b *attnBack) clearKeys() {
	clear(b.accK)
	clear(b.accV)
}

func (b *attnBack) storeKeys(kb int) {
	n := min(attnBlock, b.Tk-kb*attnBlock)
	at := (b.batch*b.Tk+kb*attnBlock)*b.ldk + b.kvh*b.Dim
	active.transpose(b.dk[at:], b.ldk, b.accK, attnBlock, b.Dim, n)
	active.transpose(b.dv[at:], b.ldk, b.accV, attnBlock, b.Dim, n)
}

// block adds one block pair's part to dq (forQ) and to accK and accV (forK). packed says that this block of keys lies packed already;
// the result says so for the next call.
func (b *attnBack) block(qb, kb int, packed, forQ, forK bool) bool {
	dim := b.Dim
	q0, nq := b.batch*b.Tq+qb*attnBlock, min(attnBlock, b.Tq-qb*attnBlock)
	k0, nk := b.batch*b.Tk+kb*attnBlock, min(attnBlock, b.Tk-kb*attnBlock)
	seen := b.classify(q0, nq, k0, nk)
	if seen == nothing {
		return packed
	}
	if !packed {
		at := k0*b.ldk + b.kvh*dim
		packT(b.kt, b.k[at:], b.ldk, nk, dim)
		packT(b.vt, b.v[at:], b.ldk, nk, dim)
		if forQ {
			packRows(b.kp, b.k[at:], b.ldk, nk, dim)
		}
	}
	for h := b.kvh * b.group; h < (b.kvh+1)*b.group; h++ {
		at := q0*b.ldq + h*dim
		mulPackedT(b.tmp, nq, dim, b.q[at:], b.ldq, b.kt, b.scores, nk, b.Scale)
		mulPackedT(b.tmp, nq, dim, b.dout[at:], b.ldq, b.vt, b.dscores, nk, 1)
		if seen == some {
			b.mask(b.scores, q0, nq, k0, nk)
		}
		for i := range nq {
			row := b.scores[i*attnBlock:][:nk]
			active.expShift(row, row, b.lse[(q0+i)*b.Heads+h])
			delta := active.dot(b.dout[at+i*b.ldq:][:dim], b.out[at+i*b.ldq:][:dim])
			active.softmaxBack(b.dscores[i*attnBlock:][:nk], row, delta, b.Scale)
		}
		if forK {
			active.transpose(b.tr, attnBlock, b.dout[at:], b.ldq, nq, dim)
			mulBlock(b.tmp, dim, nq, b.tr, b.scores, b.accV, nk)
			active.transpose(b.tr, attnBlock, b.q[at:], b.ldq, nq, dim)
			mulBlock(b.tmp, dim, nq, b.tr, b.dscores, b.accK, nk)
		}
		if forQ {
			mulPacked(b.tmp, nq, nk, b.dscores, b.kp, dim, b.dq[at:], b.ldq, true)
		}
	}
	return true
}
