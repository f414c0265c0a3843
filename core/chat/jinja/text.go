package jinja

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Text is a string that knows where its bytes come from. Whatever a template does to it (cut, trim, join, replace, quote as JSON), the
// marks go along, so that in what is rendered the words of a template and those of a message can be told apart.
type Text struct {
	S     string
	Marks []Mark // ascending, without overlap; what lies between them was written by the template, outside {% generation %}
}

// Mark describes the bytes [From, To) of a text.
type Mark struct {
	From, To  int
	Source    int32 // who wrote them, as Text values were handed in; 0: the template
	Generated bool  // they lie in a {% generation %} block
}

// Written is a text of which everything comes from source.
func Written(s string, source int32) Text {
	if source == 0 || s == "" {
		return Text{S: s}
	}
	return Text{S: s, Marks: []Mark{{To: len(s), Source: source}}}
}

func lit(s string) Text { return Text{S: s} }

// slice is the bytes [from, to).
func (t Text) slice(from, to int) Text {
	out := Text{S: t.S[from:to]}
	if len(t.Marks) == 0 || from == to {
		return out
	}
	first, _ := slices.BinarySearchFunc(t.Marks, from, func(m Mark, at int) int { return m.To - at - 1 })
	for _, m := range t.Marks[first:] {
		if m.From >= to {
			break
		}
		m.From, m.To = max(m.From, from)-from, min(m.To, to)-from
		out.Marks = append(out.Marks, m)
	}
	return out
}

// pieces calls f for each stretch of one mark, the template's own included.
func (t Text) pieces(f func(s string, m Mark)) {
	at := 0
	for _, m := range t.Marks {
		if at < m.From {
			f(t.S[at:m.From], Mark{})
		}
		f(t.S[m.From:m.To], m)
		at = m.To
	}
	if at < len(t.S) {
		f(t.S[at:], Mark{})
	}
}

// runes is the length in code points, as Python counts it.
func (t Text) runes() int { return utf8.RuneCountInString(t.S) }

// offset is the byte where code point n of s begins; the end of s for a larger n.
func offset(s string, n int) int {
	at := 0
	for ; n > 0 && at < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at
}

// trim takes the code points that cut accepts away, on the left, on the right or both.
func (t Text) trim(cut func(rune) bool, left, right bool) Text {
	from, to := 0, len(t.S)
	if left {
		from = to - len(strings.TrimLeftFunc(t.S, cut))
	}
	if right {
		to = from + len(strings.TrimRightFunc(t.S[from:], cut))
	}
	return t.slice(from, to)
}

// space is what Python's str.isspace accepts.
func space(r rune) bool {
	switch {
	case r >= 0x1c && r <= 0x20, r >= '\t' && r <= '\r', r == 0x85, r == 0xa0, r == 0x1680, r >= 0x2000 && r <= 0x200a,
		r == 0x2028, r == 0x2029, r == 0x202f, r == 0x205f, r == 0x3000:
		return true
	}
	return false
}

// builder joins texts. Each byte it takes is paid for from the budget of the run.
type builder struct {
	r     *run
	b     []byte
	marks []Mark
}

func (b *builder) piece(s string, m Mark) {
	if s == "" {
		return
	}
	b.r.alloc(len(s))
	from := len(b.b)
	b.b = append(b.b, s...)
	if m.Source == 0 && !m.Generated {
		return
	}
	if n := len(b.marks) - 1; n >= 0 && b.marks[n].To == from && b.marks[n].Source == m.Source && b.marks[n].Generated == m.Generated {
		b.marks[n].To = len(b.b)
		return
	}
	b.r.alloc(32)
	b.marks = append(b.marks, Mark{from, len(b.b), m.Source, m.Generated})
}

// str writes words of the template's own.
func (b *builder) str(s string) { b.piece(s, Mark{}) }

func (b *builder) text(t Text) {
	if len(t.Marks) == 0 {
		b.piece(t.S, Mark{})
		return
	}
	t.pieces(b.piece)
}

// mapped writes t with every stretch put through f.
func (b *builder) mapped(t Text, f func(string) string) {
	t.pieces(func(s string, m Mark) { b.piece(f(s), m) })
}

// runes writes t with every code point put through f, in order.
func (b *builder) runes(t Text, f func(rune) string) {
	t.pieces(func(s string, m Mark) {
		var out strings.Builder
		for _, r := range s {
			out.WriteString(f(r))
		}
		b.piece(out.String(), m)
	})
}

func (b *builder) done() Text { return Text{S: string(b.b), Marks: b.marks} }

// concat joins texts.
func (r *run) concat(texts ...Text) Text {
	b := builder{r: r}
	for _, t := range texts {
		b.text(t)
	}
	return b.done()
}
