package data

import "slices"

const (
	maxBuckets = 4 // programs that are compiled for one run
	lengthUnit = 8 // lengths are multiples, which kernels like
)

// Buckets chooses at most four lengths for micro-batches whose longest rows have the given lengths, so that the total of padded
// tokens is least when each micro-batch is padded to the smallest bucket that holds it. Lengths are rounded up to a multiple of
// 8, or to max where that is less; max 0 means no limit. The result ascends and its last element holds the longest row.
func Buckets(lengths []int, max int) []int {
	sorted := make([]int, 0, len(lengths))
	for _, n := range lengths {
		sorted = append(sorted, roundLength(n, max))
	}
	slices.Sort(sorted)
	// values[j] is the j-th different length, upto[j] the number of micro-batches shorter than it.
	var values, upto []int
	for i, n := range sorted {
		if i == 0 || n != sorted[i-1] {
			values, upto = append(values, n), append(upto, i)
		}
	}
	m := len(values)
	upto = append(upto, len(sorted))
	if m == 0 {
		return nil
	}
	// cost[j] is the least total for the first j lengths with the buckets so far, and from[k][j] where the last of k+1 begins.
	// Where it begins never falls as j grows (the costs have the Monge property), which makes divide and conquer exact.
	cost := make([]int, m+1)
	for j := 1; j <= m; j++ {
		cost[j] = values[j-1] * upto[j]
	}
	from := [][]int{make([]int, m+1)}
	for range min(maxBuckets, m) - 1 {
		next, start := make([]int, m+1), make([]int, m+1)
		var fill func(lo, hi, least, most int)
		fill = func(lo, hi, least, most int) {
			if lo > hi {
				return
			}
			j := (lo + hi) / 2
			best := -1
			for i := least; i <= min(most, j-1); i++ {
				if c := cost[i] + values[j-1]*(upto[j]-upto[i]); best < 0 || c < best {
					best, start[j] = c, i
				}
			}
			next[j] = best
			fill(lo, j-1, least, start[j])
			fill(j+1, hi, start[j], most)
		}
		fill(1, m, 0, m-1)
		cost, from = next, append(from, start)
	}
	var out []int
	for k, j := len(from)-1, m; j > 0; k-- {
		out = append(out, values[j-1])
		j = from[k][j]
	}
	slices.Reverse(out)
	return out
}

func roundLength(n, max int) int {
	r := (n + lengthUnit - 1) / lengthUnit * lengthUnit
	if max > 0 && r > max && n <= max {
		return max
	}
	return r
}
