package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// bpe is byte pair encoding (Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", ACL 2016):
// a word starts as characters, and the neighbouring pair with the lowest rank is merged until no rule applies.
type bpe struct {
	ids     map[string]int32
	merges  map[uint64]merge // by pairKey of the two ids
	joints  map[uint64]bool  // by pairKey of last and first character: borders that some merge crosses
	ends    map[int32][2]rune
	unk     int32      // -1: what the vocabulary lacks is dropped
	bytes   [256]int32 // ids of <0x00>…<0xFF>; -1 where missing
	fuseUnk bool       // neighbouring unknown characters are one token
	whole   bool       // ignore_merges: a word that is a token is that token
}

// merge says which rule makes a pair one token, lower rank first.
type merge struct{ rank, id int32 }

func pairKey(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }

// mergePair reads both spellings of a merge: "a b" and ["a", "b"].
type mergePair [2]string

func (m *mergePair) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '[' {
		var list []string
		if err := json.Unmarshal(raw, &list); err != nil {
			return err
		}
		if len(list) != 2 {
			return fmt.Errorf("a merge of %d tokens; expected 2", len(list))
		}
		*m = mergePair{list[0], list[1]}
		return nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	a, b, ok := strings.Cut(s, " ")
	if !ok || strings.Contains(b, " ") {
		return fmt.Errorf("merge %q; expected two tokens with a space between", s)
	}
	*m = mergePair{a, b}
	return nil
}

func readBPE(raw json.RawMessage) (model, error) {
	var f struct {
		Dropout                 *float64         `json:"dropout"`
		UnkToken                *string          `json:"unk_token"`
		ContinuingSubwordPrefix *string          `json:"continuing_subword_prefix"`
		EndOfWordSuffix         *string          `json:"end_of_word_suffix"`
		FuseUnk                 bool             `json:"fuse_unk"`
		ByteFallback            bool             `json:"byte_fallback"`
		IgnoreMerges            bool             `json:"ignore_merges"`
		Vocab                   map[string]int32 `json:"vocab"`
		Merges                  []mergePair      `json:"merges"`
	}
	if err := fields(raw, "model", "BPE", &f); err != nil {
		return nil, err
	}
	switch {
	case f.Dropout != nil && *f.Dropout != 0:
		return nil, errors.New("model BPE: dropout is not supported; set it to null")
	case f.ContinuingSubwordPrefix != nil && *f.ContinuingSubwordPrefix != "":
		return nil, errors.New("model BPE: continuing_subword_prefix is not supported")
	case f.EndOfWordSuffix != nil && *f.EndOfWordSuffix != "":
		return nil, errors.New("model BPE: end_of_word_suffix is not supported")
	case len(f.Vocab) == 0:
		return nil, errors.New("model BPE: the vocabulary is empty")
	}
	m := &bpe{ids: f.Vocab, unk: -1, fuseUnk: f.FuseUnk, whole: f.IgnoreMerges,
		merges: make(map[uint64]merge, len(f.Merges)), joints: map[uint64]bool{}, ends: make(map[int32][2]rune, len(f.Vocab))}
	if f.UnkToken != nil {
		id, ok := f.Vocab[*f.UnkToken]
		if !ok {
			return nil, fmt.Errorf("model BPE: unk_token %q is not in the vocabulary", *f.UnkToken)
		}
		m.unk = id
	}
	for b := range m.bytes {
		m.bytes[b] = -1
		if id, ok := f.Vocab[byteName(byte(b))]; ok && f.ByteFallback {
			m.bytes[b] = id
		}
	}
	for token, id := range f.Vocab {
		m.ends[id] = endsOf(token)
	}
	for i, p := range f.Merges {
		a, okA := f.Vocab[p[0]]
		b, okB := f.Vocab[p[1]]
		id, ok := f.Vocab[p[0]+p[1]]
		if !okA || !okB || !ok || p[0] == "" || p[1] == "" {
			return nil, fmt.Errorf("model BPE: merge %d of %q and %q: a part or the result is not in the vocabulary", i, p[0], p[1])
		}
		m.merges[pairKey(a, b)] = merge{int32(i), id}
		m.joints[pairKey(m.ends[a][1], m.ends[b][0])] = true
	}
	return m, nil
}

func byteName(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

func endsOf(token string) [2]rune {
	first, _ := utf8.DecodeRuneInString(token)
	last, _ := utf8.DecodeLastRuneInString(token)
	return [2]rune{first, last}
}

func (m *bpe) vocab() map[string]int32 { return m.ids }

func (m *bpe) encode(word string, out []int32) []int32 {
	if m.whole {
		if id, ok := m.ids[word]; ok {
			return append(out, id)
		}
	}
	// A tokenizer without pre-tokenizer hands the whole text over as one word. Most borders between characters are
	// crossed by no rule at all, so the text falls into short chunks that merge independently.
	var chunk merger
	unknown := false // the last symbol is an unknown character that a further one may join
	add := func(id int32) {
		if n := len(chunk.symbols); n > 0 {
			last := m.ends[chunk.symbols[n-1].id]
			if !m.joints[pairKey(last[1], m.ends[id][0])] {
				out = chunk.run(m, out)
			}
		}
		chunk.add(id)
		unknown = false
	}
	for i := 0; i < len(word); {
		_, w := utf8.DecodeRuneInString(word[i:])
		char := word[i : i+w]
		i += w
		if id, ok := m.ids[char]; ok {
			add(id)
			continue
		}
		covered := true
		for k := range len(char) {
			covered = covered && m.bytes[char[k]] >= 0
		}
		switch {
		case covered:
			for k := range len(char) {
				add(m.bytes[char[k]])
			}
		case m.unk >= 0 && !(m.fuseUnk && unknown):
			add(m.unk)
			unknown = true
		}
	}
	return chunk.run(m, out)
}

// merger holds the symbols of one chunk as a linked list, and the merges that are possible in it as a heap, so that a chunk of n
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

// run merges what can be merged, appends the ids to out and empties the chunk.
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
