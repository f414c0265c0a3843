package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// bpe is byte pair encoding (Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", ACL 2016):
// a word starts as characters, and the neighbouring pair with the lowest rank is merged until no rule applies.
type bpe struct {
	file    bpeFile
	ids     vocabulary
	chars   map[rune]int32 // tokens of one character
	merges  map[uint64]merge
	joints  joints
	oddJoin bool       // some merge has a part that stands for an unknown character, so joints says too little
	unk     int32      // -1: what the vocabulary lacks is dropped
	bytes   [256]int32 // ids of <0x00>…<0xFF>; -1 where missing
	raw     bool       // words are bytes, each of which stands for a character of the byte-level alphabet
	special map[int32]bool
	cache   *wordCache
	mergers sync.Pool
}

// merge says which rule makes a pair one token, lower rank first.
type merge struct{ rank, id int32 }

func pairKey(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }

// bpeFile is the model as tokenizer.json writes it.
type bpeFile struct {
	Type                    string     `json:"type"`
	Dropout                 *float64   `json:"dropout"`
	UnkToken                *string    `json:"unk_token"`
	ContinuingSubwordPrefix *string    `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string    `json:"end_of_word_suffix"`
	FuseUnk                 bool       `json:"fuse_unk"`
	ByteFallback            bool       `json:"byte_fallback"`
	IgnoreMerges            bool       `json:"ignore_merges"` // a word that is a token is that token
	Vocab                   vocabulary `json:"vocab"`
	Merges                  merges     `json:"merges"`
}

func readBPE(raw json.RawMessage) (model, error) {
	var f bpeFile
	if err := fields(raw, "model", "BPE", &f); err != nil {
		return nil, err
	}
	return newBPE(f)
}

func newBPE(f bpeFile) (*bpe, error) {
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
	m := &bpe{ids: f.Vocab, unk: -1, chars: map[rune]int32{}, merges: make(map[uint64]merge, len(f.Merges)), joints: newJoints()}
	m.cache = newWordCache(m.mergeWord)
	m.mergers.New = func() any { return new(merger) }
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
		if r, w := utf8.DecodeRuneInString(token); w > 0 && w == len(token) {
			m.chars[r] = id
		}
	}
	for i, p := range f.Merges {
		a, okA := f.Vocab[p[0]]
		b, okB := f.Vocab[p[1]]
		id, ok := f.Vocab[p[0]+p[1]]
		if !okA || !okB || !ok || p[0] == "" || p[1] == "" {
			return nil, fmt.Errorf("model BPE: merge %d of %q and %q: a part or the result is not in the vocabulary", i, p[0], p[1])
		}
		m.merges[pairKey(a, b)] = merge{int32(i), id}
		last, _ := utf8.DecodeLastRuneInString(p[0])
		first, _ := utf8.DecodeRuneInString(p[1])
		m.joints.add(last, first)
		for _, part := range p {
			_, isByte := byteToken(part)
			m.oddJoin = m.oddJoin || isByte && f.ByteFallback || f.UnkToken != nil && part == *f.UnkToken
		}
	}
	f.Type, f.Vocab, f.Merges = "BPE", nil, nil // they are in ids and merges
	m.file = f
	return m, nil
}

func byteName(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

func (m *bpe) vocab() vocabulary { return m.ids }

func (m *bpe) forbid(special map[int32]bool) { m.special = special }

// write gives the model back as a file has it.
func (m *bpe) write() any {
	f := m.file
	f.Vocab, f.Merges = m.ids, make(merges, 0, len(m.merges))
	tokens := make(map[int32]string, len(m.ids))
	for token, id := range m.ids {
		tokens[id] = token
	}
	ranks := make(map[int32]uint64, len(m.merges))
	for pair, r := range m.merges {
		ranks[r.rank] = pair
	}
	for rank := int32(0); len(f.Merges) < len(ranks); rank++ {
		if pair, ok := ranks[rank]; ok {
			f.Merges = append(f.Merges, mergePair{tokens[int32(pair>>32)], tokens[int32(uint32(pair))]})
		}
	}
	return f
}

// readBytes makes the model take words that byteLevel leaves as bytes.
func (m *bpe) readBytes() {
	m.raw = true
	for b := range m.bytes {
		m.bytes[b] = -1
		if id, ok := m.chars[byteRunes[b]]; ok {
			m.bytes[b] = id
		}
	}
}

func (m *bpe) encode(word string, out []int32) []int32 {
	if m.raw || m.file.IgnoreMerges {
		return m.cache.encode(word, out)
	}
	// A tokenizer without pre-tokenizer hands the whole text over as one word. Most borders between characters are
	// crossed by no rule at all, so the text falls into short chunks that merge independently.
	from, last, lastKnown := 0, rune(-1), false
	for i := 0; i < len(word); {
		r, w := utf8.DecodeRuneInString(word[i:])
		_, known := m.chars[r]
		known = known && !(r == utf8.RuneError && w == 1)
		switch {
		case i == 0, m.oddJoin:
		case known && lastKnown && !m.joints.has(last, r), known != lastKnown:
			out = m.cache.encode(word[from:i], out)
			from = i
		}
		last, lastKnown = r, known
		i += w
	}
	if from < len(word) {
		out = m.cache.encode(word[from:], out)
	}
	return out
}

// mergeWord encodes a word that nothing is remembered of.
func (m *bpe) mergeWord(word string, out []int32) []int32 {
	if m.file.IgnoreMerges {
		token := word
		if m.raw {
			token = writeBytes(word)
		}
		if id, ok := m.ids[token]; ok && !m.special[id] {
			return append(out, id)
		}
	}
	g := m.mergers.Get().(*merger)
	defer m.mergers.Put(g)
	unknown := false // the last symbol is an unknown character that a further one may join
	unk := func() {
		if m.unk >= 0 && !(m.file.FuseUnk && unknown) {
			g.add(m.unk)
		}
		unknown = true
	}
	if m.raw {
		for i := range len(word) {
			if id := m.bytes[word[i]]; id < 0 {
				unk()
			} else {
				g.add(id)
				unknown = false
			}
		}
		return g.run(m, out)
	}
	for i := 0; i < len(word); {
		r, w := utf8.DecodeRuneInString(word[i:])
		char := word[i : i+w]
		i += w
		if id, ok := m.chars[r]; ok && !(r == utf8.RuneError && w == 1) {
			g.add(id)
			unknown = false
			continue
		}
		covered := true
		for k := range len(char) {
			covered = covered && m.bytes[char[k]] >= 0
		}
		if !covered {
			unk()
			continue
		}
		for k := range len(char) {
			g.add(m.bytes[char[k]])
		}
		unknown = false
	}
	return g.run(m, out)
}

// joints are the borders between two characters that some merge crosses.
type joints struct {
	ascii *[128][2]uint64
	rest  map[uint64]struct{}
}

func newJoints() joints { return joints{new([128][2]uint64), map[uint64]struct{}{}} }

func (j joints) add(a, b rune) {
	if a < utf8.RuneSelf && b < utf8.RuneSelf {
		j.ascii[a][b>>6] |= 1 << (b & 63)
		return
	}
	j.rest[pairKey(a, b)] = struct{}{}
}

func (j joints) has(a, b rune) bool {
	if a < utf8.RuneSelf && b < utf8.RuneSelf {
		return j.ascii[a][b>>6]>>(b&63)&1 != 0
	}
	_, ok := j.rest[pairKey(a, b)]
	return ok
}

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
	pair, err := cutMerge(s)
	*m = pair
	return err
}

func cutMerge(s string) (mergePair, error) {
	a, b, ok := strings.Cut(s, " ")
	if !ok || strings.Contains(b, " ") {
		return mergePair{}, fmt.Errorf("merge %q; expected two tokens with a space between", s)
	}
	return mergePair{a, b}, nil
}

// merges are written in the older spelling, which every reader knows, unless a token has a space in it.
type merges []mergePair

func (list merges) MarshalJSON() ([]byte, error) {
	pairs := slices.ContainsFunc(list, func(m mergePair) bool { return strings.Contains(m[0]+m[1], " ") })
	b := []byte{'['}
	for i, m := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if pairs {
			b = append(appendJSON(append(appendJSON(append(b, '['), m[0]), ','), m[1]), ']')
		} else {
			b = appendJSON(b, m[0]+" "+m[1])
		}
	}
	return append(b, ']'), nil
}
