package op_test

import (
	"math"
	"testing"

	"hone/core/ir"
	"hone/core/op"
	"hone/core/tensor"
)

func plainCrossEntropy(h, w []float64, n int, targets []int32) []float64 {
	rows, vocab := len(targets), len(w)/n
	logits := plainMatMul(h, w, nil, rows, n, vocab, op.Orientation{B: true}, 1)
	out := make([]float64, rows)
	for row, target := range targets {
		if target == op.NoTarget {
			continue
		}
		z, sum := logits[row*vocab:][:vocab], 0.0
		for _, x := range z {
			sum += math.Exp(x - z[target])
		}
		out[row] = math.Log(sum)
	}
	return out
}

func crossEntropyProgram(name string, n, vocab int, trainH, trainW bool, targets ...int32) program {
	return program{name, func(s *source) {
		operand := func(trained bool, shape ...int) ir.Value {
			if trained {
				return s.param(shape...)
			}
			return s.random(shape...)
		}
		h, w := operand(trainH, len(targets), n), operand(trainW, vocab, n)
		s.want(op.LinearCrossEntropy(s.Builder, h, w, s.ints(targets...)), plainCrossEntropy(s.of(h), s.of(w), n, targets))
	}}
}

func halfCrossEntropyProgram(d tensor.DType) program {
	return program{"a frozen head in " + d.String(), func(s *source) {
		targets := []int32{6, op.NoTarget, 0, 3}
		h, w := s.param(len(targets), 5), s.half(d, 7, 5)
		s.want(op.LinearCrossEntropy(s.Builder, h, w, s.ints(targets...)), plainCrossEntropy(s.of(h), s.of(w), 5, targets))
	}}
}

var linearCrossEntropySuite = register("linear_cross_entropy",
	crossEntropyProgram("h and w", 5, 7, true, true, 6, op.NoTarget, 0, 3, 3),
	crossEntropyProgram("h only", 3, 5, true, false, 1, 4, op.NoTarget),
	crossEntropyProgram("w only", 3, 5, false, true, op.NoTarget, 1, 4),
	crossEntropyProgram("one row", 1, 3, true, true, 2),
	crossEntropyProgram("a vocabulary of 1", 3, 1, true, true, 0, op.NoTarget),
	crossEntropyProgram("no target at all", 3, 5, true, true, op.NoTarget, op.NoTarget),
	program{"a head used twice", func(s *source) { // one gradient is added to the other
		first, second := []int32{1, 4}, []int32{op.NoTarget, 0, 2}
		w, h1, h2 := s.param(5, 3), s.param(2, 3), s.random(3, 3)
		s.want(op.LinearCrossEntropy(s.Builder, h1, w, s.ints(first...)), plainCrossEntropy(s.of(h1), s.of(w), 3, first))
		s.want(op.LinearCrossEntropy(s.Builder, h2, w, s.ints(second...)), plainCrossEntropy(s.of(h2), s.of(w), 3, second))
	}},
	halfCrossEntropyProgram(tensor.F16),
	halfCrossEntropyProgram(tensor.BF16),
	program{"logits far from zero", func(s *source) { // exp overflows unless the maximum is taken off
		h, w := s.floats([]float64{1000, -1000}, 2, 1), s.floats([]float64{1, 2, 3}, 3, 1)
		s.want(op.LinearCrossEntropy(s.Builder, h, w, s.ints(0, 0)), []float64{2000, 0})
	}},
)

func TestLinearCrossEntropy(t *testing.T) { linearCrossEntropySuite.check(t) }

// A frozen head costs no gradient of its size: dw is a result only where w is trained.
func TestLinearCrossEntropyFrozenHead(t *testing.T) {
	results := map[string]int{}
	for _, p := range linearCrossEntropySuite.programs {
		g, _ := p.trace(t, true)
		for i, n := range g.Nodes {
			if n.Op == "linear_cross_entropy_grad" {
				results[p.name] = len(g.Parts(ir.Value(i)))
			}
		}
	}
	for name, want := range map[string]int{"h only": 2, "w only": 3, "h and w": 3} {
		if results[name] != want {
			t.Errorf("%s: the gradient has %d results, want %d", name, results[name], want)
		}
	}
}
