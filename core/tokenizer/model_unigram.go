package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// unigram is the unigram language model (Kudo, "Subword Regularization", ACL 2018): of all ways to cut a word into pieces it takes
// the one with the greatest sum of scores, which are log probabilities. A character that no piece covers alone can be
// unknown, for the lowest score less unkPenalty.
type unigram struct {
	file   unigramFile
	ids    vocabulary
	unk    int32 // -1: what the vocabulary lacks is dropped
	lowest float64
	bytes  [256]int32 // ids of <0x00>…<0xFF>; -1 where missing or without byte_fallback
	pieces *trie
	// Pieces have ▁ only in front, so every ▁ begins a piece and the words before and behind it are cut independently.
	wordwise bool
	special  map[int32]bool
	cache    *wordCache
}

const (
	unkPenalty = 10.0
	maxPiece   = 512 // bytes of a piece: every place of a text is compared with up to that much, and a merge can be at every byte of it
)

type unigramFile struct {
	Type         string  `json:"type"`
	UnkID        *int32  `json:"unk_id"`
	Vocab        []piece `json:"vocab"`
	ByteFallback bool    `json:"byte_fallback"`
}

// piece is a token and its score, in a file ["▁the", -3.2].
type piece struct {
	token string
	score float64
}

func (p *piece) UnmarshalJSON(raw []byte) error {
	list := [2]any{&p.token, &p.score}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if list[0] == nil || list[1] == nil {
		return fmt.Errorf("piece %.60s; expected a text and a score", raw)
	}
	return nil
}

func (p piece) MarshalJSON() ([]byte, error) { return plainJSON([]any{p.token, p.score}, "") }

func readUnigram(raw json.RawMessage) (model, error) {
	var f unigramFile
	if err := fields(raw, "model", "Unigram", &f); err != nil {
		return nil, err
	}
	return newUnigram(f)
}

func newUnigram(f unigramFile) (*unigram, error) {
	if len(f.Vocab) == 0 {
		return nil, errors.New("model Unigram: the vocabulary is empty")
	}
	m := &unigram{ids: make(vocabulary, len(f.Vocab)), unk: -1, lowest: math.Inf(1)}
	m.cache = newWordCache(m.best)
	for i, p := range f.Vocab {
		switch {
		case p.token == "":
			return nil, fmt.Errorf("model Unigram: piece %d is empty", i)
		case len(p.token) > maxPiece:
			return nil, fmt.Errorf("model Unigram: piece %d has %d bytes; at most %d are accepted", i, len(p.token), maxPiece)
		case math.IsNaN(p.score) || math.IsInf(p.score, 0):
			return nil, fmt.Errorf("model Unigram: piece %d, %q, has the score %g", i, p.token, p.score)
		}
		if first, twice := m.ids[p.token]; twice {
			return nil, fmt.Errorf("model Unigram: pieces %d and %d are both %q", first, i, p.token)
		}
		m.ids[p.token] = int32(i)
		m.lowest = min(m.lowest, p.score)
	}
	if f.UnkID != nil {
		if m.unk = *f.UnkID; m.unk < 0 || int(m.unk) >= len(f.Vocab) {
			return nil, fmt.Errorf("model Unigram: unk_id %d is not one of the %d pieces", m.unk, len(f.Vocab))
		}
	}
	for b := range m.bytes {
		m.bytes[b] = -1
		if id, ok := m.ids[byteName(byte(b))]; ok && f.ByteFallback {
			m.bytes[b] = id
		}
	}
	f.Type = "Unigram"
	m.file = f
	m.forbid(nil)
	return m, nil
}

func (m *unigram) vocab() vocabulary { return m.ids }
func (m *unigram) write() any        { return m.file }

// forbid leaves special tokens out of what a text can be cut into, as SentencePiece does, and so are the unknown token and the
// names of bytes.
func (m *unigram) forbid(special map[int32]bool) {
	m.special = special
	usable := make(map[string]int32, len(m.ids))
	m.wordwise = true
	for token, id := range m.ids {
		b, isByte := byteToken(token)
		if special[id] || id == m.unk || isByte && m.bytes[b] == id {
			continue
		}
		usable[token] = id
		m.wordwise = m.wordwise && !strings.Contains(strings.TrimPrefix(token, space), space)
	}
	_, alone := usable[space]
	m.wordwise = m.wordwise && alone
	m.pieces = newTrie(usable)
}

func (m *unigram) encode(word string, out []int32) []int32 {
	for m.wordwise {
		next := strings.Index(word[min(1, len(word)):], space)
		if next < 0 {
			break
		}
		out = m.cache.encode(word[:next+1], out)
		word = word[next+1:]
	}
	if word == "" {
		return out
	}
	return m.cache.encode(word, out)
}

// step is the best way to a place of a word: the piece that ends there, and where that begins.
type step struct {
	score float64
	from  int32 // -1: no way found
	id    int32 // -1: an unknown character
}

// best finds the way with the greatest score (Viterbi); of equal ones the first found, that is the one whose last piece is longest.
func (m *unigram) best(word string, out []int32) []int32 {
	steps := make([]step, len(word)+1)
	for i := range steps[1:] {
		steps[i+1].from = -1
	}
	for at := 0; at < len(word); {
		_, width := utf8.DecodeRuneInString(word[at:])
		here, alone := steps[at].score, false
		reach := func(end int, id int32, score float64) {
			if s := &steps[end]; s.from < 0 || here+score > s.score {
				*s = step{here + score, int32(at), id}
			}
		}
		node := uint32(0)
		for i := at; i < len(word); i++ {
			if node = m.pieces.step(node, word[i]); node == 0 {
				break
			}
			if id := m.pieces.nodes[node].value; id >= 0 {
				reach(i+1, id, m.file.Vocab[id].score)
				alone = alone || i+1 == at+width
			}
		}
		if !alone {
			reach(at+width, -1, m.lowest-unkPenalty)
		}
		at += width
	}
	from := len(out)
	for end := len(word); end > 0; {
		s := steps[end]
		if s.id >= 0 {
			out = append(out, s.id)
			end = int(s.from)
			continue
		}
		start := int(s.from)
		for start > 0 && steps[start].id < 0 { // neighbouring unknown characters are one
			start = int(steps[start].from)
		}
		out = m.unknown(word[start:end], out)
		end = start
	}
	slices.Reverse(out[from:])
	return out
}

// unknown appends, from behind, what stands for a text that no pieces cover: its bytes, or the unknown token.
func (m *unigram) unknown(text string, out []int32) []int32 {
	if id, ok := m.ids[text]; ok && !m.special[id] && id != m.unk {
		return append(out, id)
	}
	from := len(out)
	for i := len(text) - 1; i >= 0; i-- {
		id := m.bytes[text[i]]
		if id < 0 {
			out = out[:from]
			if m.unk >= 0 {
				out = append(out, m.unk)
			}
			return out
		}
		out = append(out, id)
	}
	return out
}
