package parts

import (
	"fmt"
	"slices"
	"strings"

	"hone/core/wire"
	"hone/web/words"
)

// bar is a stretch of lengths, in tokens, with how many rows have them, and the place of its picture.
type bar struct{ X, Y, W, H, Range, Count string }

// bars lays a histogram out in a field of 320 × 72.
func bars(h wire.Histogram) []bar {
	if len(h.Counts) == 0 || len(h.Edges) != len(h.Counts)+1 {
		return nil
	}
	most := max(1, slices.Max(h.Counts))
	wide := 320 / float64(len(h.Counts))
	var list []bar
	for i, n := range h.Counts {
		high := 72 * float64(n) / float64(most)
		list = append(list, bar{fmt.Sprintf("%.1f", wide*float64(i)+0.5), fmt.Sprintf("%.1f", 74-high), fmt.Sprintf("%.1f", wide-1), fmt.Sprintf("%.1f", high),
			lengthRange(h.Edges[i], h.Edges[i+1]-1), itoa(n)})
	}
	return list
}

func lengthRange(from, to int) string {
	if from == to {
		return itoa(from)
	}
	return fmt.Sprintf("%d–%d", from, to)
}

// histogramText is the picture in words.
func (s *State) histogramText(h wire.Histogram) string {
	var list []string
	for _, b := range bars(h) {
		list = append(list, b.Range+": "+b.Count)
	}
	return s.T(words.DataLengths) + ": " + strings.Join(list, ", ")
}
