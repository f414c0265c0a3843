package data

import (
	"fmt"
	"slices"
	"strings"

	"hone/core/chat"
)

// A finding is something odd about rows that do train: how many have it, and the names of the first few.
type finding struct {
	count int
	rows  []string
}

const (
	doubleBegin = iota
	beginOnce
	openEnd
	rewritten
	noAnswer
	findingKinds
)

var findingTexts = [findingKinds]string{
	doubleBegin: "begin with the begin token twice; the model will see both",
	beginOnce:   "would begin with the begin token twice, from the chat template and from the tokenizer; one was left out",
	openEnd:     "have an answer without an end token behind it, so the model does not learn there when to stop",
	rewritten:   "have answers that are not learnt, since the chat template shows them otherwise once the talk goes on",
	noAnswer:    "have an empty answer, which teaches to say nothing",
}

// note counts a row that has a finding.
func (l *loading) note(kind int, file string, row int) {
	f := &l.findings[kind]
	if f.count++; len(f.rows) < firstFew {
		f.rows = append(f.rows, fmt.Sprintf("%s row %d", file, row))
	}
}

// heard notes what the encoding of a conversation reported, and answers without a word.
func (l *loading) heard(r chat.Report, silent int, file string, row int) {
	for kind, n := range [findingKinds]int{beginOnce: r.DoubleBegin, openEnd: r.NoEnd, rewritten: r.Rewritten, noAnswer: silent} {
		if n > 0 {
			l.note(kind, file, row)
		}
	}
}

// look notes what is odd about an example that is no conversation, as it was before any cut.
func (l *loading) look(e Example) {
	note := func(kind int) { l.note(kind, e.File, e.Row) }
	tok := l.opt.Tokenizer
	if tok != nil && tok.BOS >= 0 && len(e.IDs) > 1 && e.IDs[0] == tok.BOS && e.IDs[1] == tok.BOS {
		note(doubleBegin)
	}
	if len(l.ends) == 0 || isText(e.File) {
		return
	}
	for i := 1; i < len(e.Labels); i++ {
		if last := i+1 == len(e.Labels) || e.Labels[i+1] == chat.Ignored; last && e.Labels[i] != chat.Ignored && !l.endsAt(e.Labels, i) {
			note(openEnd)
			return
		}
	}
}

// endsAt reports whether the supervised stretch that ends at i has an end token. Some templates write a line end behind it. A
// special token of the tokenizer that ends a turn, such as <|im_end|>, is one too.
func (l *loading) endsAt(labels []int32, i int) bool {
	for _, id := range labels[max(i-1, 0) : i+1] {
		if slices.Contains(l.ends, id) || id >= 0 && l.opt.Tokenizer != nil && l.opt.Tokenizer.IsSpecial(id) {
			return true
		}
	}
	return false
}

// notes are the findings in sentences.
func (l *loading) notes() (out []string) {
	for kind, f := range l.findings {
		if f.count > 0 {
			out = append(out, fmt.Sprintf("%d rows %s: %s", f.count, findingTexts[kind], Few(f.rows, f.count)))
		}
	}
	return out
}

// Few lists the first few of count rows, each "file row n"; a file that goes on is named once.
func Few(rows []string, count int) string {
	var b strings.Builder
	file := ""
	for i, r := range rows {
		at := strings.LastIndex(r, " row ")
		switch {
		case i > 0 && at >= 0 && r[:at] == file:
			b.WriteString(", " + r[at+len(" row "):])
		case i > 0:
			b.WriteString("; " + r)
		default:
			b.WriteString(r)
		}
		if at >= 0 {
			file = r[:at]
		}
	}
	if more := count - len(rows); more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}
