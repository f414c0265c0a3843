package tokenizer

// A ranked value knows which of two comes off a heap first. The order must be total where results are to repeat.
type ranked[T any] interface{ before(T) bool }

// push puts x on a binary heap.
func push[T ranked[T]](h []T, x T) []T {
	h = append(h, x)
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
	return h
}

// pop takes the first value off a heap that is not empty.
func pop[T ranked[T]](h []T) (T, []T) {
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			return top, h
		}
		if down+1 < last && h[down+1].before(h[down]) {
			down++
		}
		if !h[down].before(h[i]) {
			return top, h
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
}
