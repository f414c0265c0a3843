package generate

import (
	"cmp"
	"math"
	"slices"

	"hone/core/rng"
)

// Sampling chooses the next token.
type Sampling struct {
	Temperature float64 // 0 takes the most probable token
	TopK        int     // only the k most probable; 0 is all
	TopP        float64 // only the most probable ones that together have this probability; 0 or 1 is all
	Seed        uint64
}

// Next chooses a token from logits; position keys the random number, so that one seed gives one text.
func (s Sampling) Next(logits []float32, position int) int32 {
	if s.Temperature <= 0 {
		best := 0
		for i, x := range logits {
			if x > logits[best] {
				best = i
			}
		}
		return int32(best)
	}
	order := make([]int32, len(logits))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(logits[b], logits[a]) })
	if s.TopK > 0 {
		order = order[:min(s.TopK, len(order))]
	}
	p := make([]float64, len(order))
	var sum float64
	for i, id := range order {
		p[i] = math.Exp((float64(logits[id]) - float64(logits[order[0]])) / s.Temperature)
		sum += p[i]
	}
	if s.TopP > 0 && s.TopP < 1 {
		var mass float64
		for i := range p {
			mass += p[i] / sum
			if mass >= s.TopP {
				p, order = p[:i+1], order[:i+1]
				break
			}
		}
		sum = 0
		for _, x := range p {
			sum += x
		}
	}
	u := float64(rng.NewKey(s.Seed, rng.Sampling, uint64(position)).Uniform(0)) * sum
	for i := range p {
		if u -= p[i]; u < 0 {
			return order[i]
		}
	}
	return order[len(order)-1]
}
