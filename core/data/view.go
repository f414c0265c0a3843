package data

import (
	"strings"

	"hone/core/chat"
	"hone/core/tokenizer"
)

// Run is a stretch of an example of which all tokens are learnt, or none.
type Run struct {
	Text    string // with special tokens as the vocabulary writes them
	Tokens  int
	Learnt  bool
	Unknown bool // there is no tokenizer to read it
}

// Runs cuts an example into stretches by what is learnt, in order, as the model sees them. The first token is never learnt.
func (e Example) Runs(tok *tokenizer.Tokenizer) []Run {
	learnt := func(i int) bool { return i > 0 && e.Labels[i] != chat.Ignored }
	var out []Run
	before := ""
	for from := 0; from < len(e.IDs); {
		to := from + 1
		for to < len(e.IDs) && learnt(to) == learnt(from) {
			to++
		}
		r := Run{Tokens: to - from, Learnt: learnt(from), Unknown: tok == nil}
		if tok != nil {
			// Decoders treat the beginning of a text apart, so what a stretch adds to the text before it is what it says.
			whole, short := readable(tok, e.IDs[:to])
			rest, ok := strings.CutPrefix(whole, before)
			if !ok {
				rest, short = tok.Decode(e.IDs[from:to], false), 0
			}
			if r.Text = rest; to == len(e.IDs) {
				r.Text += strings.Repeat("\uFFFD", short)
			}
			before = whole
		}
		out = append(out, r)
		from = to
	}
	return out
}

// readable decodes ids but for the last few, where these are the first bytes of a character whose others do not follow.
func readable(tok *tokenizer.Tokenizer, ids []int32) (text string, left int) {
	const bytes = 4 // of a character at most
	least := -1
	for k := range min(bytes, len(ids)) {
		s := tok.Decode(ids[:len(ids)-k], false)
		if n := strings.Count(s, "\uFFFD"); least < 0 || n < least {
			text, left, least = s, k, n
		}
		if least == 0 {
			break
		}
	}
	return text, left
}
