package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is an entry of added_tokens, as the file writes it.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// addedTokens are cut out of a text before the model sees it: those marked normalized from the normalised text, the others
// from the text as it came.
type addedTokens struct {
	list            []addedToken
	raw, normalized *trie // values are places in list
	marked          *trie // raw, and of the normalized ones those that are special, as they are written: for EncodeMixed
	ids             map[string]int32
	special         map[int32]bool
}

// maxAddedToken bounds the bytes of an added token, because looking for tokens costs up to that much per place.
const maxAddedToken = 1024

func newAddedTokens(list []addedToken, n normalizer) (addedTokens, error) {
	a := addedTokens{list: list, ids: map[string]int32{}, special: map[int32]bool{}}
	raw, normalized, marked := map[string]int32{}, map[string]int32{}, map[string]int32{}
	for i, t := range list {
		if t.Content == "" {
			continue
		}
		if len(t.Content) > maxAddedToken {
			return a, fmt.Errorf("added_tokens: entry %d has %d bytes; at most %d are accepted", i, len(t.Content), maxAddedToken)
		}
		a.ids[t.Content] = t.ID
		if t.Special {
			a.special[t.ID] = true
		}
		if t.Special || !t.Normalized {
			marked[t.Content] = int32(i)
		}
		switch key := t.Content; {
		case !t.Normalized:
			raw[key] = int32(i)
		case n != nil:
			key = n.normalize(key)
			fallthrough
		default:
			normalized[key] = int32(i)
		}
	}
	a.raw, a.normalized = newTrie(raw), newTrie(normalized)
	if a.marked = a.raw; len(marked) > len(raw) {
		a.marked = newTrie(marked)
	}
	return a, nil
}

// cutter cuts added tokens out of a text.
type cutter struct {
	tokens *trie
	list   []addedToken
	left   func(t *addedToken, from, to int) (stays bool, until int) // a token that stays letters; until: one that ends there may not
}

// cut gives the stretches of text and the tokens between them, in order; first says that a stretch begins the text.
func (c cutter) cut(text string, stretch func(text string, first bool), token func(id int32)) {
	from := 0 // what lies before is given out
	for at := 0; at < len(text) && len(c.tokens.nodes) > 1; {
		i, n := c.tokens.longest(text[at:])
		stays, until := n > 0, 0
		if stays {
			stays, until = c.left(&c.list[i], at, at+n)
		}
		for stays && until > at { // a shorter one may count
			if i, n = c.tokens.longest(text[at:until]); n == 0 {
				break
			}
			stays, until = c.left(&c.list[i], at, at+n)
		}
		if stays || n == 0 {
			at++
			continue
		}
		t := &c.list[i]
		start, end := at, at+n
		at = end
		if t.SingleWord && (endsInWord(text[:start]) || startsWithWord(text[end:])) {
			continue
		}
		if t.LStrip {
			start = from + len(strings.TrimRightFunc(text[from:start], unicode.IsSpace))
		}
		if t.RStrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
			at = end
		}
		if from < start {
			stretch(text[from:start], from == 0)
		}
		token(t.ID)
		from = end
	}
	if from < len(text) {
		stretch(text[from:], from == 0)
	}
}

func endsInWord(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return s != "" && isWord(r)
}

func startsWithWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && isWord(r)
}

// isWord is \w of Rust's regex crate: letters, marks, decimal digits, connectors and joiners.
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}
