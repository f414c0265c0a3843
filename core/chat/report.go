package chat

import (
	"fmt"

	"hone/core/tokenizer"
)

// Report counts what is worth knowing about encoded conversations.
type Report struct {
	Conversations int
	DoubleBegin   int // a begin token would have stood twice: it stands once
	NoEnd         int // answers that are learnt without a token that ends them
	Rewritten     int // answers that are not learnt, because the template shows past answers or what precedes them in another form
}

// Add adds the counts of another report.
func (r *Report) Add(o Report) {
	r.Conversations += o.Conversations
	r.DoubleBegin += o.DoubleBegin
	r.NoEnd += o.NoEnd
	r.Rewritten += o.Rewritten
}

// Lines says what was found, a sentence each; nothing where all is well.
func (r Report) Lines() []string {
	var out []string
	add := func(n int, format string) {
		if n > 0 {
			out = append(out, fmt.Sprintf(format, n, r.Conversations))
		}
	}
	add(r.DoubleBegin, "%d of %d conversations would begin with two begin tokens; one was left out")
	add(r.NoEnd, "%d answers in %d conversations are learnt without an end token: the chat template writes none behind them, so the model does not learn to stop")
	add(r.Rewritten, "%d answers in %d conversations are not learnt: once the talk goes on, the chat template shows them, or what precedes them, otherwise than when they are asked for")
	return out
}

// beginOnce leaves a second begin token at the start out.
func (e *encoder) beginOnce() {
	for e.tok.BOS >= 0 && len(e.ids) > 1 && e.ids[0] == e.tok.BOS && e.ids[1] == e.tok.BOS {
		e.ids, e.labels = e.ids[1:], e.labels[1:]
		e.report.DoubleBegin = 1
	}
}

// Notes says what is peculiar to a tokenizer and a template together, a sentence each, before any data is read.
func Notes(tok *tokenizer.Tokenizer, template Template) []string {
	var out []string
	if tok.Pad >= 0 && tok.Pad == tok.EOS {
		out = append(out, "pad and end are the same token; padding is left out by position, so the end of an answer is learnt all the same")
	}
	ids, _, err := Encode(tok, template, []Message{{Role: "user", Content: "x"}}, EncodeOptions{Generation: true})
	if err != nil {
		return out
	}
	framed := tok.Encode("x", true)
	if _, own := template.(*Jinja); own && tok.BOS >= 0 && len(ids) > 0 && ids[0] == tok.BOS && framed[0] == tok.BOS {
		out = append(out, "both the chat template and the tokenizer add the begin token; it stands once")
	}
	return out
}
