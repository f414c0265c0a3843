package tokenizer

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const space = "▁" // U+2581 stands for a space inside tokens, as in SentencePiece

// TrainOptions says what vocabulary Train makes.
type TrainOptions struct {
	VocabSize     int      // tokens at most, with the three special tokens, the 256 bytes and SpecialTokens
	SpecialTokens []string // further special tokens; they follow <unk>, <s> and </s>
	Pad           string   // the one of SpecialTokens that pads; empty: none
	Coverage      float64  // share of the characters, by how often they stand, that get a token of their own; 0 means 0.9995
	MinCount      int      // a pair must stand this often to be merged; 0 means 2
}

// Trained is a vocabulary with its merges, ready to be written.
type Trained struct {
	Vocab    []string    // by id
	Merges   [][2]string // by rank
	Specials []string    // the first ids
	Pad      string
}

const (
	maxTokenRunes = 16  // longest token, as SentencePiece's max_sentencepiece_length
	maxWordRunes  = 128 // longer runs of one script are cut: they are no words
	usualCoverage = 0.9995
)

// Train makes a BPE vocabulary from texts, the way SentencePiece does for Llama: spaces become ▁, one stands in front of
// every text, merges stay within words, and characters that are too rare for a token of their own are written as bytes.
// Words begin at ▁ and where the script changes; digits and line ends stand alone. Equal texts in equal order give equal
// vocabularies; pairs that are equally frequent are taken in order of their ids. The result is smaller than VocabSize when
// the texts have no more pairs to merge.
func Train(texts iter.Seq[string], opt TrainOptions) (*Trained, error) {
	specials := append([]string{"<unk>", "<s>", "</s>"}, opt.SpecialTokens...)
	for i, s := range specials {
		if _, isByte := byteToken(s); s == "" || isByte || strings.Contains(s, space) || slices.Contains(specials[:i], s) {
			return nil, fmt.Errorf("tokenizer: special token %q is empty, stands twice, looks like a byte or has a %s in it", s, space)
		}
	}
	if opt.Pad != "" && !slices.Contains(opt.SpecialTokens, opt.Pad) {
		return nil, fmt.Errorf("tokenizer: the padding token %q is not among SpecialTokens", opt.Pad)
	}
	fixed := len(specials) + 256
	if opt.VocabSize <= fixed {
		return nil, fmt.Errorf("tokenizer: a vocabulary of %d leaves no room beside %d special and byte tokens", opt.VocabSize, fixed)
	}
	words, chars := countWords(texts)
	if len(words) == 0 {
		return nil, errors.New("tokenizer: there is no text to train on")
	}
	t := &trainer{minCount: opt.MinCount, ids: map[string]int32{}, fixed: int32(fixed), merged: map[pair]bool{}}
	if t.minCount == 0 {
		t.minCount = 2
	}
	for _, s := range specials {
		t.token(s)
	}
	for b := range 256 {
		t.token(byteName(byte(b)))
	}
	coverage := opt.Coverage
	if coverage == 0 {
		coverage = usualCoverage
	}
	for _, r := range alphabet(chars, coverage, (opt.VocabSize-fixed+1)/2) {
		t.token(string(r))
	}
	t.load(words)
	t.run(opt.VocabSize)
	return &Trained{Vocab: t.vocab, Merges: t.merges, Specials: specials, Pad: opt.Pad}, nil
}

// countWords counts the words of all texts and the characters in them.
func countWords(texts iter.Seq[string]) (words map[string]int, chars map[rune]int) {
	words, chars = map[string]int{}, map[rune]int{}
	for text := range texts {
		if text == "" {
			continue
		}
		text = space + strings.ReplaceAll(strings.ToValidUTF8(text, ""), " ", space)
		for text != "" {
			n := wordLength(text)
			word := text[:n]
			text = text[n:]
			if count, ok := words[word]; ok {
				words[word] = count + 1
			} else {
				words[strings.Clone(word)] = 1 // a view would hold the whole text
			}
		}
	}
	for word, count := range words {
		for _, r := range word {
			chars[r] += count
		}
	}
	return words, chars
}

type script uint8

const (
	alone script = iota // digits, control characters: always a word by themselves
	letters
	han
	kana
	hangul
	other
)

func scriptOf(r rune) script {
	switch {
	case unicode.IsNumber(r) || unicode.IsControl(r):
		return alone
	case unicode.Is(unicode.Han, r):
		return han
	case unicode.In(r, unicode.Hiragana, unicode.Katakana):
		return kana
	case unicode.Is(unicode.Hangul, r):
		return hangul
	case unicode.In(r, unicode.L, unicode.M):
		return letters
	}
	return other
}

// wordLength is the number of bytes of the word in front of a text. A ▁ belongs to the word that follows it.
func wordLength(text string) int {
	n := 0
	if strings.HasPrefix(text, space) {
		n = len(space)
	}
	first, w := utf8.DecodeRuneInString(text[n:])
	if n == len(text) || first == '▁' {
		return n
	}
	kind := scriptOf(first)
	if kind == alone {
		if n > 0 {
			return n // the ▁ alone, then the digit
		}
		return w
	}
	n += w
	for runes := 1; runes < maxWordRunes && n < len(text); runes++ {
		r, w := utf8.DecodeRuneInString(text[n:])
		if r == '▁' || scriptOf(r) != kind {
			break
		}
		n += w
	}
	return n
}

// alphabet picks the most frequent characters, until they cover that share of the text or the room is used.
func alphabet(chars map[rune]int, coverage float64, room int) []rune {
	all := make([]rune, 0, len(chars))
	total := 0
	for r, n := range chars {
		all = append(all, r)
		total += n
	}
	slices.SortFunc(all, func(a, b rune) int {
		if chars[a] != chars[b] {
			return chars[b] - chars[a]
		}
		return int(a - b)
	})
	covered := 0
	for i, r := range all {
		if i == room || float64(covered) >= coverage*float64(total) {
			return all[:i]
		}
		covered += chars[r]
	}
	return all
}

type pair [2]int32

// trainer keeps the count of every pair of neighbouring symbols up to date while it merges the most frequent one.
type trainer struct {
	vocab    []string
	ids      map[string]int32
	merges   [][2]string
	fixed    int32 // ids below are special or bytes: no merge may make one of them
	minCount int
	applied  int // merges made over the words so far
	merged   map[pair]bool

	words  []trainWord
	counts map[pair]int
	where  map[pair][]int32 // words that have, or once had, the pair; may name one twice
	heap   []pairCount
}

type trainWord struct {
	symbols []int32
	count   int
	stamp   int // the last merge that touched the word
}

type pairCount struct {
	pair  pair
	count int
}

func (p pairCount) before(o pairCount) bool {
	if p.count != o.count {
		return p.count > o.count
	}
	if p.pair[0] != o.pair[0] {
		return p.pair[0] < o.pair[0]
	}
	return p.pair[1] < o.pair[1]
}

func (t *trainer) token(s string) int32 {
	if id, ok := t.ids[s]; ok {
		return id
	}
	id := int32(len(t.vocab))
	t.ids[s], t.vocab = id, append(t.vocab, s)
	return id
}

// load cuts words at characters outside the alphabet and counts the pairs.
func (t *trainer) load(words map[string]int) {
	t.counts, t.where = map[pair]int{}, map[pair][]int32{}
	for text, count := range words {
		var symbols []int32
		flush := func() {
			if len(symbols) > 1 {
				t.words = append(t.words, trainWord{symbols, count, 0})
			}
			symbols = nil
		}
		for _, r := range text {
			if id, ok := t.ids[string(r)]; ok && id >= t.fixed {
				symbols = append(symbols, id)
			} else {
				flush()
			}
		}
		flush()
	}
	for i, w := range t.words {
		t.tally(int32(i), w, 1, -1)
	}
	for p, n := range t.counts {
		t.heap = push(t.heap, pairCount{p, n})
	}
}

// tally adds the pairs of a word to the counts, sign times. Pairs with the symbol fresh (all, if it is -1) are new to the
// word and noted in where.
func (t *trainer) tally(word int32, w trainWord, sign int, fresh int32) {
	for i := 1; i < len(w.symbols); i++ {
		p := pair{w.symbols[i-1], w.symbols[i]}
		t.counts[p] += sign * w.count
		if sign > 0 && (fresh < 0 || p[0] == fresh || p[1] == fresh) {
			t.where[p] = append(t.where[p], word)
		}
		if t.counts[p] == 0 {
			delete(t.counts, p)
		}
	}
}

func (t *trainer) run(size int) {
	for len(t.vocab) < size && len(t.heap) > 0 {
		var top pairCount
		top, t.heap = pop(t.heap)
		if n := t.counts[top.pair]; n != top.count {
			// The count fell since the entry was made: it goes back with the count of now.
			if n >= t.minCount {
				t.heap = push(t.heap, pairCount{top.pair, n})
			}
			continue
		}
		if top.count < t.minCount {
			return
		}
		a, b := t.vocab[top.pair[0]], t.vocab[top.pair[1]]
		if utf8.RuneCountInString(a)+utf8.RuneCountInString(b) > maxTokenRunes {
			continue
		}
		if id, taken := t.ids[a+b]; taken && id < t.fixed {
			continue // text that spells a special token stays in pieces
		}
		t.apply(top.pair, t.token(a+b))
		// A token can be made in two ways, and so can make a pair stand again that has its rule already.
		if !t.merged[top.pair] {
			t.merged[top.pair] = true
			t.merges = append(t.merges, [2]string{a, b})
		}
	}
}

// apply merges the pair in all words that have it.
func (t *trainer) apply(p pair, id int32) {
	t.applied++
	stamp := t.applied
	touched := map[pair]bool{}
	for _, i := range t.where[p] {
		w := &t.words[i]
		if w.stamp == stamp {
			continue
		}
		w.stamp = stamp
		t.tally(i, *w, -1, -1)
		out := w.symbols[:0]
		for k := 0; k < len(w.symbols); k++ {
			if k+1 < len(w.symbols) && w.symbols[k] == p[0] && w.symbols[k+1] == p[1] {
				out = append(out, id)
				k++
			} else {
				out = append(out, w.symbols[k])
			}
		}
		w.symbols = out
		t.tally(i, *w, 1, id)
		for k := 1; k < len(out); k++ {
			if out[k-1] == id || out[k] == id {
				touched[pair{out[k-1], out[k]}] = true
			}
		}
	}
	delete(t.where, p)
	// Only pairs with the new symbol can have become more frequent; all others fall, which pop notices.
	for q := range touched {
		if n := t.counts[q]; n >= t.minCount {
			t.heap = push(t.heap, pairCount{q, n})
		}
	}
}
