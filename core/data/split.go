package data

import (
	"fmt"
	"math"

	"hone/core/rng"
)

// Split holds a share of the rows out for evaluation: round(ratio·n) of them, at least one and not all, drawn by seed. The
// pieces of a row that was cut go together. Both sets keep the order of the file. With ratio 0, or only one row, held is nil.
func Split(set *Set, ratio float64, seed uint64) (train, held *Set, err error) {
	if !(ratio >= 0 && ratio < 1) {
		return nil, nil, fmt.Errorf("data: split ratio %v; expected at least 0 and less than 1", ratio)
	}
	// next reports whether an example begins another row than the one before.
	next := func(i int) bool {
		return i == 0 || set.Examples[i].Row != set.Examples[i-1].Row || set.Examples[i].File != set.Examples[i-1].File
	}
	n := 0
	for i := range set.Examples {
		if next(i) {
			n++
		}
	}
	if ratio == 0 || n < 2 {
		return set, nil, nil
	}
	k := min(max(int(math.Round(ratio*float64(n))), 1), n-1)
	out := map[int]bool{}
	for _, row := range rng.NewKey(seed, rng.Split, 0).Permutation(n)[:k] {
		out[row] = true
	}
	row, at := -1, -1
	train, held = set.divide(func(Example) bool {
		if at++; next(at) {
			row++
		}
		return out[row]
	})
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
