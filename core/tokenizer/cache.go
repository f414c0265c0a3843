package tokenizer

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// wordCache remembers the ids of words, because most words of a text are repeated. Each word has one place, which the next
// word with that place takes over, so the memory is bounded and nothing is locked. What it answers is what compute answers.
type wordCache struct {
	compute func(word string, out []int32) []int32
	places  []atomic.Pointer[cachedWord]
	seed    maphash.Seed
}

type cachedWord struct {
	word string
	ids  []int32
}

const (
	cachePlaces = 1 << 15
	cacheWord   = 64 // bytes; longer words are rare
)

func newWordCache(compute func(string, []int32) []int32) *wordCache {
	return &wordCache{compute, make([]atomic.Pointer[cachedWord], cachePlaces), maphash.MakeSeed()}
}

func (c *wordCache) encode(word string, out []int32) []int32 {
	if len(word) > cacheWord {
		return c.compute(word, out)
	}
	place := &c.places[maphash.String(c.seed, word)%uint64(len(c.places))]
	if e := place.Load(); e != nil && e.word == word {
		return append(out, e.ids...)
	}
	from := len(out)
	out = c.compute(word, out)
	place.Store(&cachedWord{strings.Clone(word), append([]int32(nil), out[from:]...)})
	return out
}
