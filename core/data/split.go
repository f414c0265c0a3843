package data

import (
	"fmt"
	"math"
	"slices"

	"hone/core/rng"
)

// Split holds a share of the rows out for evaluation: round(ratio·n) of them, at least one and not all, drawn by seed. Both
// sets keep the order of the file. With ratio 0, or only one row, held is nil.
func Split(set *Set, ratio float64, seed uint64) (train, held *Set, err error) {
	if !(ratio >= 0 && ratio < 1) {
		return nil, nil, fmt.Errorf("data: split ratio %v; expected at least 0 and less than 1", ratio)
	}
	n := len(set.Examples)
	if ratio == 0 || n < 2 {
		return set, nil, nil
	}
	k := min(max(int(math.Round(ratio*float64(n))), 1), n-1)
	out := rng.NewKey(seed, rng.Split, 0).Permutation(n)[:k]
	slices.Sort(out)
	train, held = &Set{}, &Set{}
	// What loading left out was left out before the split and is reported with the training rows.
	train.Stats.Dropped, train.Stats.Truncated = set.Stats.Dropped, set.Stats.Truncated
	for i, e := range set.Examples {
		to := train
		if len(out) > 0 && out[0] == i {
			to, out = held, out[1:]
		}
		to.Examples = append(to.Examples, e)
		to.Stats.keep(e)
	}
	train.Stats.Rows, held.Stats.Rows = train.Stats.Kept+train.Stats.Dropped, held.Stats.Kept
	return train, held, nil
}

// Order is the order of n rows in an epoch: file order, or with shuffle a permutation that seed and epoch determine.
func Order(n int, seed uint64, epoch int, shuffle bool) []int {
	if shuffle {
		return rng.NewKey(seed, rng.Shuffle, uint64(epoch)).Permutation(n)
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}
