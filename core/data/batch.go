package data

import "hone/core/chat"

// Batch is what one micro-batch feeds to a program. The arrays are [Rows, Length], row-major. Rows are filled from the left and
// padded on the right; a row can hold several examples (packing) or none.
type Batch struct {
	Rows, Length int
	IDs          []int32 // token ids; LoaderOptions.Pad in the padding
	// Targets are the labels shifted to where they are predicted: Targets[p] is the label of p+1 when p+1 belongs to the same
	// segment, else chat.Ignored. So the label at an example's position 0 never counts and its last position has none.
	Targets   []int32
	Positions []int32 // from 0 in every example; 0 in the padding
	Segments  []int32 // 1, 2, … for the examples of a row, 0 for the padding: attention stays within a segment
	Tokens    int     // targets that count
	Examples  []int   // the examples' places in the set, row by row
}

// newBatch lays examples out. Every element of rows lists the examples of one row; rows beyond it are padding.
func newBatch(set *Set, rows [][]int, count, length int, pad int32) Batch {
	n := count * length
	all := make([]int32, 4*n)
	b := Batch{Rows: count, Length: length, IDs: all[:n:n], Targets: all[n : 2*n : 2*n], Positions: all[2*n : 3*n : 3*n], Segments: all[3*n:]}
	for p := range n {
		b.IDs[p], b.Targets[p] = pad, chat.Ignored
	}
	for r, members := range rows {
		at := r * length
		for s, i := range members {
			e := set.Examples[i]
			for p := range e.IDs {
				b.IDs[at+p], b.Positions[at+p], b.Segments[at+p] = e.IDs[p], int32(p), int32(s+1)
				if p+1 < len(e.Labels) {
					b.Targets[at+p] = e.Labels[p+1]
				}
			}
			at += len(e.IDs)
			b.Tokens += e.Supervised()
			b.Examples = append(b.Examples, i)
		}
	}
	return b
}

// Pack puts examples of the given lengths, in the given order, into rows of at most max tokens: each goes into the
// first open row with room (first fit). At most window rows are open; beyond that the oldest is closed, so that the work
// per example is bounded and neighbours stay near each other. Rows come in the order in which they were opened and list
// elements of order. An example longer than max gets a row of its own.
func Pack(order, lengths []int, max, window int) [][]int {
	var rows [][]int
	var free []int // tokens left in the open rows, which are the last len(free) of rows
next:
	for _, i := range order {
		first := len(rows) - len(free)
		for k, room := range free {
			if lengths[i] <= room {
				free[k] -= lengths[i]
				rows[first+k] = append(rows[first+k], i)
				continue next
			}
		}
		if len(free) == window && window > 0 {
			free = free[1:]
		}
		rows = append(rows, []int{i})
		free = append(free, max-lengths[i])
	}
	return rows
}
