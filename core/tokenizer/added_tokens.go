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
	raw, normalized trie
	ids             map[string]int32
	special         map[int32]bool
}

// maxAddedToken bounds the bytes of an added token, because looking for tokens costs up to that much per place.
const maxAddedToken = 1024

func newAddedTokens(list []addedToken, n normalizer) (addedTokens, error) {
	a := addedTokens{ids: map[string]int32{}, special: map[int32]bool{}}
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
		key := t.Content
		if t.Normalized && n != nil {
			key = n.normalize(key)
		}
		if t.Normalized {
			a.normalized.add(key, t)
		} else {
			a.raw.add(key, t)
		}
	}
	return a, nil
}

// trie finds the longest token at a place of a text.
type trie struct {
	next  map[byte]*trie
	token *addedToken
}

func (t *trie) add(key string, token addedToken) {
	if key == "" {
		return
	}
	for i := range len(key) {
		if t.next == nil {
			t.next = map[byte]*trie{}
		}
		child := t.next[key[i]]
		if child == nil {
			child = &trie{}
			t.next[key[i]] = child
		}
		t = child
	}
	t.token = &token
}

func (t *trie) longest(text string) (token *addedToken, length int) {
	for i := range len(text) {
		if t = t.next[text[i]]; t == nil {
			break
		}
		if t.token != nil {
			token, length = t.token, i+1
		}
	}
	return token, length
}

// section is a stretch of text, or the added token that stood there.
type section struct {
	text  string
	token bool
	id    int32
}

// cut divides a text at its added tokens. With plain, tokens that are special or control are left in the text.
func (t *trie) cut(text string, plain bool, control func(int32) bool) []section {
	if t.next == nil {
		if text == "" {
			return nil
		}
		return []section{{text: text}}
	}
	var out []section
	from := 0 // what lies before is given out
	for at := 0; at < len(text); {
		token, n := t.longest(text[at:])
		if token == nil {
			at++
			continue
		}
		start, end := at, at+n
		at = end
		if plain && (token.Special || control(token.ID)) {
			continue
		}
		if token.SingleWord && (endsInWord(text[:start]) || startsWithWord(text[end:])) {
			continue
		}
		if token.LStrip {
			start = from + len(strings.TrimRightFunc(text[from:start], unicode.IsSpace))
		}
		if token.RStrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
			at = end
		}
		if from < start {
			out = append(out, section{text: text[from:start]})
		}
		out = append(out, section{token: true, id: token.ID})
		from = end
	}
	if from < len(text) {
		out = append(out, section{text: text[from:]})
	}
	return out
}

func endsInWord(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return s != "" && isWord(r)
}

func startsWithWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && isWord(r)
}

func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc)
}
