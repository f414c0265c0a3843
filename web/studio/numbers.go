package studio

import (
	"maps"
	"math"
	"slices"
	"strconv"
)

// numbers are values of a curve; what is no number is null in JSON.
type numbers []float64

// MarshalJSON writes seven digits: more than a picture shows.
func (n numbers) MarshalJSON() ([]byte, error) {
	b := []byte{'['}
	for i, x := range n {
		if i > 0 {
			b = append(b, ',')
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendFloat(b, x, 'g', 7, 64)
		}
	}
	return append(b, ']'), nil
}

func gaps(n int) numbers {
	out := make(numbers, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

// union is all steps, in order.
func union(x numbers, at map[float64]float64) numbers {
	all := append(slices.Collect(maps.Keys(at)), x...)
	slices.Sort(all)
	return slices.Compact(all)
}
