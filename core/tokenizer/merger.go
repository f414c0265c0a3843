package tokenizer

// merger holds the symbols of one word as a linked list, and the merges that are possible in it as a heap, so that a word of n
// symbols takes O(n log n).
type merger struct {
	symbols []symbol
	heap    []candidate
}

type symbol struct{ id, prev, next int32 } // id -1: merged into the one before

type candidate struct{ rank, at, id int32 }

func (c candidate) before(o candidate) bool {
	return c.rank < o.rank || c.rank == o.rank && c.at < o.at
}

func (g *merger) add(id int32) {
	n := int32(len(g.symbols))
	if n > 0 {
		g.symbols[n-1].next = n
	}
	g.symbols = append(g.symbols, symbol{id, n - 1, -1})
}

// run merges what can be merged, appends the ids to out and empties the merger.
func (g *merger) run(m *bpe, out []int32) []int32 {
	for i := range g.symbols {
		g.offer(m, int32(i))
	}
	for len(g.heap) > 0 {
		var c candidate
		c, g.heap = pop(g.heap)
		left := &g.symbols[c.at]
		if left.id < 0 || left.next < 0 {
			continue
		}
		right := &g.symbols[left.next]
		// The pair may have changed since it was offered.
		if now, ok := m.merges[pairKey(left.id, right.id)]; !ok || now.id != c.id {
			continue
		}
		left.id, left.next = c.id, right.next
		right.id = -1
		if left.next >= 0 {
			g.symbols[left.next].prev = c.at
		}
		if left.prev >= 0 {
			g.offer(m, left.prev)
		}
		g.offer(m, c.at)
	}
	for i := int32(0); i >= 0 && int(i) < len(g.symbols); i = g.symbols[i].next {
		out = append(out, g.symbols[i].id)
	}
	g.symbols = g.symbols[:0]
	return out
}

// offer puts the pair that begins at a symbol on the heap, if a rule merges it.
func (g *merger) offer(m *bpe, at int32) {
	s := g.symbols[at]
	if s.next < 0 {
		return
	}
	r, ok := m.merges[pairKey(s.id, g.symbols[s.next].id)]
	if !ok {
		return
	}
	g.heap = push(g.heap, candidate{r.rank, at, r.id})
}
