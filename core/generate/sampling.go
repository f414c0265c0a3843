package generate

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"math"
	"slices"

	"hone/core/rng"
)

// Sampling chooses the next token. What is set works in the order of transformers' logits processors: repetition penalty, temperature,
// top_k, top_p, min_p; each sees what those before it left.
type Sampling struct {
	Temperature       float64 // 0 takes the most probable token
	TopK              int     // only the k most probable, and those equal to the last of them; 0: all
	TopP              float64 // only the most probable ones that together have this probability; 0 or 1: all
	MinP              float64 // only those that have this share of the most probable one's probability; 0: all
	RepetitionPenalty float64 // makes tokens of the sequence less probable if greater than 1 (Keskar et al. 2019); 0 or 1: none
	Seed              uint64
}

// Check refuses settings without meaning.
func (s Sampling) Check() error {
	switch {
	case !(s.Temperature >= 0) || math.IsInf(s.Temperature, 0):
		return errors.New("temperature must be 0 or greater")
	case s.TopK < 0:
		return errors.New("top_k must be 0 or greater")
	case !(s.TopP >= 0 && s.TopP <= 1):
		return errors.New("top_p must lie between 0 and 1")
	case !(s.MinP >= 0 && s.MinP <= 1):
		return errors.New("min_p must lie between 0 and 1")
	case !(s.RepetitionPenalty >= 0) || math.IsInf(s.RepetitionPenalty, 0):
		return errors.New("repetition_penalty must be greater than 0")
	}
	return nil
}

// Next chooses a token from logits [vocab_size] behind the tokens of sequence. The random number is keyed by the seed and the length of
// the sequence, so one seed gives one text.
func (s Sampling) Next(logits []float32, sequence []int32) (int32, error) {
	scores, err := s.scores(logits, sequence)
	if err != nil {
		return 0, err
	}
	if s.Temperature == 0 {
		return scores.best(), nil
	}
	return s.draw(s.candidates(scores), len(sequence)), nil
}

// draw takes one of the candidates.
func (s Sampling) draw(c candidates, length int) int32 {
	sum := 0.0
	for _, x := range c {
		sum += x.weight
	}
	u := float64(rng.NewKey(s.Seed, rng.Sampling, uint64(length)).Uniform(0)) * sum
	for _, x := range c {
		if u -= x.weight; u < 0 {
			return x.id
		}
	}
	return c[len(c)-1].id
}

// mostRead is how many logits are worth reading back instead of all.
const mostRead = 128

// top is how many of the greatest logits Next needs, 0 for all of them: one more than top_k, to see whether there are others
// as great as the last.
func (s Sampling) top(vocab int) int {
	switch {
	case s.RepetitionPenalty != 0 && s.RepetitionPenalty != 1:
		return 0 // the greatest need not be the greatest after it
	case s.Temperature == 0:
		return 1
	case s.TopK > 0 && s.TopK < min(mostRead, vocab):
		return s.TopK + 1
	}
	return 0
}

// nextOf is Next for the greatest logits in their order, as many as top says, with their tokens; not enough where more are
// needed.
func (s Sampling) nextOf(values, tokens []float32, length int) (id int32, enough bool, err error) {
	best := float64(values[0])
	if err := check(int32(tokens[0]), best); err != nil {
		return 0, false, err
	}
	if math.IsInf(best, -1) {
		return 0, false, errNoToken
	}
	if s.Temperature == 0 {
		return int32(tokens[0]), true, nil
	}
	if values[s.TopK] == values[s.TopK-1] {
		return 0, false, nil
	}
	c := make(candidates, s.TopK)
	for i := range c {
		x := float64(values[i])
		c[i] = candidate{int32(tokens[i]), math.Exp((x - best) / s.Temperature), x}
	}
	return s.draw(s.narrow(c), length), true, nil
}

var errNoToken = errors.New("generate: the model gives no token any probability")

// check refuses a logit that no model gives.
func check(token int32, x float64) error {
	if math.IsNaN(x) || math.IsInf(x, 1) {
		return fmt.Errorf("generate: the model's logit of token %d is %v; its weights are broken, or the numbers of its training ran over", token, x)
	}
	return nil
}

// Token is a token and its probability.
type Token struct {
	ID          int32
	Probability float64
}

// TopProbabilities gives the k most probable next tokens by the softmax of logits, the lower id first among equals.
func TopProbabilities(logits []float32, k int) ([]Token, error) {
	scores, err := Sampling{}.scores(logits, nil)
	if err != nil {
		return nil, err
	}
	all := candidates(scores.weights(1))
	sum := 0.0
	for _, x := range all {
		sum += x.weight
	}
	heap.Init(&all)
	var out []Token
	for len(out) < k && len(all) > 0 {
		x := heap.Pop(&all).(candidate)
		out = append(out, Token{x.id, x.weight / sum})
	}
	return out, nil
}

// scores are logits in the precision that is computed with.
type scores []float64

// scores applies the repetition penalty: positive logits of tokens that are there are divided by it, negative ones multiplied.
func (s Sampling) scores(logits []float32, sequence []int32) (scores, error) {
	out := make(scores, len(logits))
	any := false
	for i, x := range logits {
		out[i] = float64(x)
		if err := check(int32(i), out[i]); err != nil {
			return nil, err
		}
		any = any || !math.IsInf(out[i], -1)
	}
	if !any {
		return nil, errNoToken
	}
	if p := s.RepetitionPenalty; p != 0 && p != 1 {
		done := make(map[int32]bool, len(sequence))
		for _, id := range sequence {
			if done[id] || int(id) >= len(out) {
				continue
			}
			if done[id] = true; out[id] > 0 {
				out[id] /= p
			} else {
				out[id] *= p
			}
		}
	}
	return out, nil
}

// best is the token of the greatest score, the lowest id among equals.
func (s scores) best() int32 {
	best := 0
	for i, x := range s {
		if x > s[best] {
			best = i
		}
	}
	return int32(best)
}

// weights are the probabilities at a temperature, but for a common factor.
func (s scores) weights(temperature float64) []candidate {
	top := s[s.best()]
	out := make([]candidate, len(s))
	for i, x := range s {
		out[i] = candidate{int32(i), math.Exp((x - top) / temperature), x}
	}
	return out
}

type candidate struct {
	id     int32
	weight float64
	score  float64
}

// candidates are a heap with the most probable on top.
type candidates []candidate

func (c candidates) Len() int { return len(c) }
func (c candidates) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(c[j].score, c[i].score), cmp.Compare(c[i].id, c[j].id)) < 0
}
func (c candidates) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *candidates) Push(x any)   { *c = append(*c, x.(candidate)) }
func (c *candidates) Pop() any {
	last := len(*c) - 1
	x := (*c)[last]
	*c = (*c)[:last]
	return x
}

// candidates are the tokens to draw from.
func (s Sampling) candidates(all scores) candidates {
	c := candidates(all.weights(s.Temperature))
	if s.TopK > 0 && s.TopK < len(c) {
		heap.Init(&c)
		var kept []candidate
		for len(c) > 0 && (len(kept) < s.TopK || c[0].score == kept[len(kept)-1].score) {
			kept = append(kept, heap.Pop(&c).(candidate))
		}
		c = kept
	}
	return s.narrow(c)
}

// narrow applies top_p and min_p.
func (s Sampling) narrow(c candidates) candidates {
	if s.TopP > 0 && s.TopP < 1 {
		sum := 0.0
		for _, x := range c {
			sum += x.weight
		}
		heap.Init(&c)
		var kept []candidate
		for mass := 0.0; len(c) > 0 && mass < s.TopP*sum; {
			x := heap.Pop(&c).(candidate)
			mass += x.weight
			kept = append(kept, x)
		}
		c = kept
	}
	if s.MinP > 0 {
		// The most probable one has the weight 1.
		c = slices.DeleteFunc(c, func(x candidate) bool { return x.weight < s.MinP })
	}
	return c
}
