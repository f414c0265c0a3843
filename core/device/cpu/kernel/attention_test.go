package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// attnCase makes random inputs with packed segments, some padding and some keys that every segment sees.
func attnCase(r *rand.Rand, s Attention, segments, global int) (Attention, []float32, []float32, []float32) {
	fill := func(seg, pos []int32, t, first int) {
		for i := range t {
			switch {
			case i < first:
				seg[i], pos[i] = -1, int32(i)
			case i >= t-t/9:
				seg[i], pos[i] = 0, 0
			default:
				seg[i], pos[i] = int32((i-first)*segments/t)+1, int32(i)
			}
		}
	}
	s.QSeg, s.QPos = make([]int32, s.Batch*s.Tq), make([]int32, s.Batch*s.Tq)
	s.KSeg, s.KPos = make([]int32, s.Batch*s.Tk), make([]int32, s.Batch*s.Tk)
	for b := range s.Batch {
		fill(s.QSeg[b*s.Tq:], s.QPos[b*s.Tq:], s.Tq, 0)
		fill(s.KSeg[b*s.Tk:], s.KPos[b*s.Tk:], s.Tk, global)
	}
	s.Scale = float32(1 / math.Sqrt(float64(s.Dim)))
	return s, random(r, s.Batch*s.Tq*s.Heads*s.Dim), random(r, s.Batch*s.Tk*s.KV*s.Dim), random(r, s.Batch*s.Tk*s.KV*s.Dim)
}

func (s *Attention) sees(i, j int) bool {
	return s.QSeg[i] != 0 && (s.KSeg[j] == s.QSeg[i] || s.KSeg[j] == -1) && s.KPos[j] <= s.QPos[i] &&
		(s.Window == 0 || int(s.QPos[i]-s.KPos[j]) < s.Window)
}

// slowAttention is the definition, forward and backward, in float64.
func slowAttention(s Attention, q, k, v, dout []float32) (out, lse, dq, dk, dv []float64) {
	out, dq = make([]float64, len(q)), make([]float64, len(q))
	dk, dv = make([]float64, len(k)), make([]float64, len(k))
	lse = make([]float64, s.Batch*s.Tq*s.Heads)
	at := func(x []float32, row, heads, h, d int) float64 { return float64(x[(row*heads+h)*s.Dim+d]) }
	for i := range s.Batch * s.Tq {
		first := i / s.Tq * s.Tk
		for h := range s.Heads {
			g := h / (s.Heads / s.KV)
			p := make([]float64, s.Tk)
			sum, blind := 0.0, true
			for j := range p {
				if s.sees(i, first+j) {
					blind = false
					for d := range s.Dim {
						p[j] += at(q, i, s.Heads, h, d) * at(k, first+j, s.KV, g, d)
					}
					p[j] = math.Exp(p[j] * float64(s.Scale))
					sum += p[j]
				}
			}
			if blind {
				continue
			}
			lse[i*s.Heads+h] = math.Log(sum)
			dp, delta := make([]float64, s.Tk), 0.0
			for j := range p {
				p[j] /= sum
				for d := range s.Dim {
					out[(i*s.Heads+h)*s.Dim+d] += p[j] * at(v, first+j, s.KV, g, d)
					dp[j] += at(dout, i, s.Heads, h, d) * at(v, first+j, s.KV, g, d)
					dv[((first+j)*s.KV+g)*s.Dim+d] += p[j] * at(dout, i, s.Heads, h, d)
				}
				delta += p[j] * dp[j]
			}
			for j := range p {
				ds := p[j] * (dp[j] - delta) * float64(s.Scale)
				for d := range s.Dim {
					dq[(i*s.Heads+h)*s.Dim+d] += ds * at(k, first+j, s.KV, g, d)
					dk[((first+j)*s.KV+g)*s.Dim+d] += ds * at(q, i, s.Heads, h, d)
				}
			}
		}
	}
	return
}

func TestAttention(t *testing.T) {
	cases := []struct {
		s                Attention
		segments, global int
	}{
		{Attention{Batch: 1, Tq: 1, Tk: 1, Heads: 1, KV: 1, Dim: 8}, 1, 0},
		{Attention{Batch: 2, Tq: 5, Tk: 5, Heads: 2, KV: 1, Dim: 3}, 2, 0},
		{Attention{Batch: 1, Tq: 70, Tk: 70, Heads: 4, KV: 2, Dim: 16}, 1, 0},
		{Attention{Batch: 1, Tq: 150, Tk: 150, Heads: 2, KV: 2, Dim: 80}, 3, 0},
		{Attention{Batch: 2, Tq: 130, Tk: 140, Heads: 3, KV: 1, Dim: 64}, 2, 10},
		{Attention{Batch: 1, Tq: 200, Tk: 200, Heads: 2, KV: 1, Dim: 33, Window: 20}, 1, 0},
		{Attention{Batch: 1, Tq: 200, Tk: 210, Heads: 1, KV: 1, Dim: 12, Window: 70}, 4, 3},
		{Attention{Batch: 1, Tq: 1, Tk: 300, Heads: 4, KV: 2, Dim: 64}, 1, 300},
		{Attention{Batch: 1, Tq: 20, Tk: 20, Heads: 1, KV: 1, Dim: 300}, 1, 0},
	}
	eachISA(t, func(t *testing.T) {
		for n, c := range cases {
			r := rand.New(rand.NewPCG(11, uint64(n)))
			s, q, k, v := attnCase(r, c.s, c.segments, c.global)
			dout := random(r, len(q))
			out, lse, dq, dk, dv := slowAttention(s, q, k, v, dout)
			var first [][]float32
			for _, workers := range []int{1, 2, 3, 5} {
				p := NewPool(workers)
				got := [][]float32{poisoned(len(q)), poisoned(len(lse)), poisoned(len(q)), poisoned(len(k)), poisoned(len(k))}
				p.AttentionForward(s, q, k, v, got[0], got[1])
				p.AttentionBackward(s, q, k, v, got[0], got[1], dout, got[2], got[3], got[4])
				if have, want := p.ScratchFloats(), workers*AttentionScratch(s.Heads, s.KV, s.Dim); have != want {
					t.Errorf("case %d: scratch holds %d floats, want %d", n, have, want)
				}
				p.Close()
				for i, want := range [][]float64{out, lse, dq, dk, dv} {
					what := fmt.Sprintf("case %d, %d workers, %s", n, workers, []string{"out", "lse", "dq", "dk", "dv"}[i])
					closeTo(t, what, got[i], want, 2e-5)
					if first != nil {
						same(t, what, first[i], got[i])
					}
				}
				if first == nil {
					first = got
				}
			}
		}
	})
}

// A query without any key gives exactly 0 and takes no part in the gradients.
func TestAttentionBlindQuery(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	s, q, k, v := attnCase(r, Attention{Batch: 1, Tq: 9, Tk: 9, Heads: 1, KV: 1, Dim: 8}, 1, 0)
	dout := random(r, len(q))
	p := NewPool(1)
	defer p.Close()
	out, lse, dq, dk, dv := poisoned(len(q)), poisoned(9), poisoned(len(q)), poisoned(len(q)), poisoned(len(q))
	p.AttentionForward(s, q, k, v, out, lse)
	p.AttentionBackward(s, q, k, v, out, lse, dout, dq, dk, dv)
	for d := range 8 {
		if out[8*8+d] != 0 || dq[8*8+d] != 0 || dk[8*8+d] != 0 || dv[8*8+d] != 0 || lse[8] != 0 {
			t.Fatalf("padding row: out %v, lse %v, dq %v, dk %v, dv %v; want zeros", out[64+d], lse[8], dq[64+d], dk[64+d], dv[64+d])
		}
	}
}
