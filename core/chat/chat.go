// Package chat turns a conversation into the text and the token ids that a model sees, with a mark on what it learns to
// write. Training and inference go through one template, so that the ids of a prompt begin the ids of the trained text.
package chat

import (
	"fmt"
	"slices"

	"hone/core/tokenizer"
)

// Segment is a stretch of text. Its borders are borders of tokens.
type Segment struct {
	Text       string
	Supervised bool // an answer, which the model learns to write
	Message    int  // of an answer: its index among the messages

	Begin bool // the begin token stands in front, where the tokenizer has one
	End   bool // the end token follows, supervised when the segment is

	Token bool // Text is the name of a token, which the tokenizer must have
	// Special: special tokens written in Text are tokens, but for those in Letters, which messages say. Otherwise all of Text is letters.
	Special bool
	Letters []tokenizer.Span

	Joined bool // Text continues the segment before; without it, it is tokenised as if it stood alone
	Whole  bool // of an answer: also what stands behind its last special token is learnt, such as a line break
	Header int  // of a prompt: from this byte on it is learnt like the answer behind it, where a token begins there; 0: nothing is
	Ends   bool // of a prompt: its first token ends the answer before it, and is learnt with that
}

// A Template lays out a conversation. Segments must be stable: with generation, the segments of the messages before an answer,
// are those of the whole conversation up to that answer.
type Template interface {
	// Name is what run and adapter record.
	Name() string
	// Segments lays out the messages; with generation it ends where the assistant's next answer begins.
	Segments(messages []Message, generation bool) ([]Segment, error)
}

// Ignored is the label of a position that is not learnt, as in PyTorch's cross entropy.
const Ignored = -100

// EncodeOptions say what a conversation is encoded for.
type EncodeOptions struct {
	Generation    bool // end where the assistant's next answer begins
	TrainOnPrompt bool // learn all of the text, not only the answers
	MaskHistory   bool // learn only the last answer
	Report        *Report
}

// Encode gives the ids of a conversation and their labels, equally long: labels[i] is ids[i] where the model learns token
// i, else Ignored. A special token that the template writes is that token; one that somebody writes in a message stays letters. What is
// learnt of an answer includes the token that ends it. Findings are added to the report, if there is one.
func Encode(tok *tokenizer.Tokenizer, template Template, messages []Message, o EncodeOptions) (ids, labels []int32, err error) {
	for i, m := range messages {
		if m.Loss != nil && *m.Loss && m.Role != "assistant" {
			return nil, nil, fmt.Errorf("chat: message %d has the role %s and loss true; only answers can be chosen so, train_on_prompt learns the rest too", i+1, m.Role)
		}
	}
	segments, err := template.Segments(messages, o.Generation)
	if err != nil {
		return nil, nil, err
	}
	last := -1
	for i, m := range messages {
		if m.Role == "assistant" {
			last = i
		}
	}
	e := encoder{tok: tok, segments: segments, learnt: func(s Segment) bool {
		if s.Supervised && messages[s.Message].Loss != nil {
			return *messages[s.Message].Loss
		}
		return o.TrainOnPrompt || s.Supervised && (!o.MaskHistory || s.Message == last)
	}}
	for i := range segments {
		if err := e.segment(i); err != nil {
			return nil, nil, err
		}
	}
	e.report.Conversations = 1
	e.beginOnce()
	for i, m := range messages {
		laidOut := slices.ContainsFunc(segments, func(s Segment) bool { return s.Supervised && s.Message == i })
		if m.Role == "assistant" && !laidOut && (m.Loss == nil || *m.Loss) && !o.Generation && (!o.MaskHistory || i == last) {
			e.report.Rewritten++
		}
	}
	if o.Report != nil {
		o.Report.Add(e.report)
	}
	return e.ids, e.labels, nil
}

// encoder collects the ids of segments.
type encoder struct {
	tok         *tokenizer.Tokenizer
	segments    []Segment
	learnt      func(Segment) bool
	ids, labels []int32
	report      Report
	open        bool // the last answer is learnt and its end has not come yet
}

func (e *encoder) add(learnt bool, ids ...int32) {
	for _, id := range ids {
		label := int32(Ignored)
		if learnt {
			label = id
		}
		e.ids, e.labels = append(e.ids, id), append(e.labels, label)
	}
}

func (e *encoder) segment(i int) error {
	s := e.segments[i]
	if s.Begin && e.tok.BOS >= 0 {
		e.add(false, e.tok.BOS)
	}
	ids := e.textOf(i, s)
	if s.Token {
		id, ok := e.tok.ID(s.Text)
		if !ok {
			return fmt.Errorf("chat: the tokenizer has no token %s, which the model's layout needs; is it the tokenizer of this model?", s.Text)
		}
		ids = []int32{id}
	}
	learnt := e.learnt(s)
	from := len(e.ids)
	e.add(learnt, ids...)
	if e.open && len(ids) > 0 && !s.Supervised {
		if s.Special && (s.Ends || ids[0] == e.tok.EOS) {
			e.labels[from] = ids[0]
			e.open = false
		}
		e.close()
	}
	if s.Header > 0 && i+1 < len(e.segments) && e.learnt(e.segments[i+1]) {
		before := e.textOf(i, s.cut(0, s.Header))
		if len(before) <= len(ids) && slices.Equal(before, ids[:len(before)]) {
			copy(e.labels[from+len(before):], ids[len(before):])
		}
	}
	if s.End && e.tok.EOS < 0 {
		return fmt.Errorf("chat: the tokenizer names no end token, so an answer could never end; set eos_token in tokenizer_config.json")
	}
	if s.Supervised && learnt && !s.End {
		e.end(s, ids, from)
	}
	if s.End {
		e.add(learnt, e.tok.EOS)
	}
	if i == len(e.segments)-1 {
		e.close()
	}
	return nil
}

// close counts an answer that no token ended.
func (e *encoder) close() {
	if e.open {
		e.report.NoEnd++
	}
	e.open = false
}

// end looks for the token that ends an answer behind the last words of its message: the end token, else the last special one. What follows
// that token is not learnt.
func (e *encoder) end(s Segment, ids []int32, from int) {
	e.close()
	words := 0
	if n := len(s.Letters); n > 0 {
		words = s.Letters[n-1].To
	}
	tail := s.cut(words, len(s.Text)).encode(e.tok)
	if !slices.ContainsFunc(tail, e.control) {
		e.open = true
		return
	}
	// The special tokens of the end are the last ones of the answer, whatever the tokens between them.
	behind := 0
	if at := slices.Index(tail, e.tok.EOS); at >= 0 {
		for _, id := range tail[at+1:] {
			if e.control(id) {
				behind++
			}
		}
	}
	for i := len(ids) - 1; !s.Whole && (behind > 0 || !e.control(ids[i])); i-- {
		if e.labels[from+i] = Ignored; e.control(ids[i]) {
			behind--
		}
	}
}

func (e *encoder) control(id int32) bool { return id == e.tok.EOS || e.tok.IsSpecial(id) }

// textOf gives the ids of segment i, or of the beginning of it that s is, seen behind the one before it if it continues that.
func (e *encoder) textOf(i int, s Segment) []int32 {
	if !s.Joined || i == 0 || e.segments[i-1].Text == "" || s.Text == "" {
		return s.encode(e.tok)
	}
	before := e.segments[i-1]
	if ids, ok := s.behind(e.tok, before); ok {
		return ids
	}
	// A token would cross the border, and the model never sees such a one after a prompt. Behind a token that joins nothing the segment
	// is encoded as the middle of a text.
	for _, id := range []int32{e.tok.BOS, e.tok.EOS} {
		if token, ok := e.tok.Token(id); ok {
			if ids, ok := s.behind(e.tok, Segment{Text: token, Special: true}); ok {
				return ids
			}
		}
	}
	return s.encode(e.tok)
}

// behind gives the ids that s adds to those of a segment before it, if it leaves those as they are.
func (s Segment) behind(tok *tokenizer.Tokenizer, before Segment) ([]int32, bool) {
	both := Segment{Text: before.Text + s.Text, Special: true, Letters: slices.Clone(before.Letters)}
	for _, l := range s.Letters {
		both.Letters = append(both.Letters, tokenizer.Span{From: l.From + len(before.Text), To: l.To + len(before.Text)})
	}
	first, ids := before.encode(tok), both.encode(tok)
	if len(ids) < len(first) || !slices.Equal(first, ids[:len(first)]) {
		return nil, false
	}
	return ids[len(first):], true
}

func (s Segment) encode(tok *tokenizer.Tokenizer) []int32 {
	if !s.Special {
		return tok.EncodeText(s.Text)
	}
	return tok.EncodeMixed(s.Text, s.Letters)
}

// cut is the bytes [from, to) of a segment.
func (s Segment) cut(from, to int) Segment {
	out := Segment{Text: s.Text[from:to], Special: s.Special, Joined: s.Joined}
	for _, l := range s.Letters {
		if l = (tokenizer.Span{From: max(l.From, from) - from, To: min(l.To, to) - from}); l.From < l.To {
			out.Letters = append(out.Letters, l)
		}
	}
	return out
}

// Alpaca is a row of the Stanford Alpaca format as a conversation. An input is material for the instruction and follows it after
// an empty line.
func Alpaca(instruction, input, output string) []Message {
	if input != "" {
		instruction += "\n\n" + input
	}
	return []Message{{Role: "user", Content: instruction}, {Role: "assistant", Content: output}}
}
