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
			whole := tok.Decode(e.IDs[:to], false)
			if rest, ok := strings.CutPrefix(whole, before); ok {
				r.Text = rest
			} else { // a character lies across the border
				r.Text = tok.Decode(e.IDs[from:to], false)
			}
			before = whole
		}
		out = append(out, r)
		from = to
	}
	return out
}
