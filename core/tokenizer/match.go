package tokenizer

import (
	"regexp/syntax"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// pattern finds what an expression matches: leftmost, the first alternative that fits, as backtracking engines do.
// Go's own engine begins anew at every match and can read to the end of the text each time; a tokenizer asks for as many
// matches as there are words. This one remembers for the whole walk over a text from which (instruction, place) no match
// was reached, so that n characters take O(n · instructions) whatever the expression and the text are (Reps, "Maximal-Munch
// Tokenization in Linear Time", TOPLAS 1998). And it can look ahead a few characters, which expressions of the GPT family do.
type pattern struct {
	code  []instruction
	start uint32
	words int // of 64 bits, to remember the branches of one place
	looks []look
	pool  sync.Pool // of *walk
}

type look struct {
	pattern *pattern
	negate  bool
}

type operation uint8

const (
	opFail operation = iota
	opMatch
	opGo
	opBranch
	opClass
	opAny
	opAnyNotLine
	opLook
	opEmpty
)

type instruction struct {
	op    operation
	out   uint32
	other uint32    // opBranch: the second way; opLook: which; opEmpty: the condition
	bit   uint32    // opBranch: the one of a place that stands for it
	ascii [2]uint64 // opClass: which of the first 128 characters match
	inst  *syntax.Inst
}

// newPattern prepares a program of package regexp/syntax. Empty groups that a translation named stand for the looks.
func newPattern(prog *syntax.Prog, groups []string, looks []look) *pattern {
	p := &pattern{code: make([]instruction, len(prog.Inst)), start: uint32(prog.Start), looks: looks}
	bits := uint32(0)
	for i := range prog.Inst {
		in := &prog.Inst[i]
		c := instruction{out: in.Out, inst: in}
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			c.op, c.other, c.bit = opBranch, in.Arg, bits
			bits++
		case syntax.InstCapture:
			c.op = opGo
			if name := groups[in.Arg/2]; in.Arg%2 == 0 && strings.HasPrefix(name, lookGroup) {
				c.op = opLook
				for _, d := range name[len(lookGroup):] {
					c.other = c.other*10 + uint32(d-'0')
				}
			}
		case syntax.InstEmptyWidth:
			c.op, c.other = opEmpty, in.Arg
		case syntax.InstMatch:
			c.op = opMatch
		case syntax.InstNop:
			c.op = opGo
		case syntax.InstRune, syntax.InstRune1:
			c.op = opClass
			for r := range rune(utf8.RuneSelf) {
				if in.MatchRune(r) {
					c.ascii[r>>6] |= 1 << (r & 63)
				}
			}
		case syntax.InstRuneAny:
			c.op = opAny
		case syntax.InstRuneAnyNotNL:
			c.op = opAnyNotLine
		}
		p.code[i] = c
	}
	p.words = int(bits+63) / 64
	p.pool.New = func() any { return new(walk) }
	return p
}

// walk is the state of finding all matches in one text.
type walk struct {
	stack []place
	dead  []uint64 // words of each place from base on: branches from which no match was reached
	base  int
	high  int // places from here on have no mark
}

type place struct {
	pc uint32
	at int
}

// find gives the matches that are not empty to yield, from left to right, not overlapping, until it returns false.
func (p *pattern) find(text string, yield func(start, end int) bool) {
	w := p.pool.Get().(*walk)
	defer p.pool.Put(w)
	w.begin(0, p.words)
	for at := 0; at < len(text); {
		end, ok := p.run(w, text, at)
		if ok {
			w.advance(end, p.words)
		}
		if !ok || end == at {
			_, size := utf8.DecodeRuneInString(text[at:])
			at += size
			continue
		}
		if !yield(at, end) {
			break
		}
		at = end
	}
}

// match tells where a match that begins at a place ends.
func (p *pattern) match(text string, at int) (end int, ok bool) {
	w := p.pool.Get().(*walk)
	defer p.pool.Put(w)
	w.begin(at, p.words)
	return p.run(w, text, at)
}

func (p *pattern) run(w *walk, text string, at int) (end int, ok bool) {
	w.stack = append(w.stack[:0], place{p.start, at})
next:
	for len(w.stack) > 0 {
		top := w.stack[len(w.stack)-1]
		w.stack = w.stack[:len(w.stack)-1]
		pc, at := top.pc, top.at
		for {
			c := &p.code[pc]
			switch c.op {
			case opMatch:
				return at, true
			case opBranch:
				if w.seen(at, c.bit, p.words) {
					continue next
				}
				w.stack = append(w.stack, place{c.other, at})
			case opClass, opAny, opAnyNotLine:
				if at == len(text) {
					continue next
				}
				if b := text[at]; b < utf8.RuneSelf && c.op == opClass {
					if c.ascii[b>>6]>>(b&63)&1 == 0 {
						continue next
					}
					at++
					break
				}
				r, size := utf8.DecodeRuneInString(text[at:])
				if c.op == opClass && !c.inst.MatchRune(r) || c.op == opAnyNotLine && r == '\n' {
					continue next
				}
				at += size
			case opLook:
				if l := &p.looks[c.other]; l.found(text, at) == l.negate {
					continue next
				}
			case opEmpty:
				if !holds(syntax.EmptyOp(c.other), text, at) {
					continue next
				}
			case opFail:
				continue next
			}
			pc = c.out
		}
	}
	return 0, false
}

// found looks ahead. Most expressions look for one character, and need no walk for it.
func (l *look) found(text string, at int) bool {
	p := l.pattern
	if c := &p.code[p.start]; c.op == opClass && p.code[c.out].op == opMatch {
		if at == len(text) {
			return false
		}
		r, _ := utf8.DecodeRuneInString(text[at:])
		return c.inst.MatchRune(r)
	}
	_, ok := p.match(text, at)
	return ok
}

// seen marks a branch at a place and reports whether it was marked.
func (w *walk) seen(at int, bit uint32, words int) bool {
	i := (at-w.base)*words + int(bit/64)
	for i >= len(w.dead) {
		w.dead = append(w.dead, make([]uint64, max(64*words, len(w.dead)))...)
	}
	w.high = max(w.high, at+1)
	if w.dead[i]>>(bit&63)&1 != 0 {
		return true
	}
	w.dead[i] |= 1 << (bit & 63)
	return false
}

// begin forgets the text before.
func (w *walk) begin(at, words int) {
	if len(w.dead) > 1<<18 {
		w.dead = nil
	}
	clear(w.dead[:min(max(0, w.high-w.base)*words, len(w.dead))])
	w.base, w.high = at, at
}

// advance goes on behind a match. The marks further on stay true; those at its end may be of the way that the match went.
func (w *walk) advance(end, words int) {
	if w.high <= end+1 || end-w.base > len(w.dead)/words/2 {
		keep := 0
		used := min(max(0, w.high-w.base)*words, len(w.dead))
		if from := (end - w.base) * words; from < used {
			keep = copy(w.dead, w.dead[from:used])
		}
		clear(w.dead[keep:used])
		w.base = end
	}
	if from := (end - w.base) * words; from+words <= len(w.dead) {
		clear(w.dead[from : from+words])
	}
}

// holds tells whether the conditions on a place are met.
func holds(op syntax.EmptyOp, text string, at int) bool {
	// What Oniguruma's \w has: unlike elsewhere, all numbers.
	word := func(r rune, size int) bool {
		return size > 0 && unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.Pc)
	}
	before, after := word(utf8.DecodeLastRuneInString(text[:at])), word(utf8.DecodeRuneInString(text[at:]))
	switch {
	case op&syntax.EmptyBeginText != 0 && at > 0,
		op&syntax.EmptyEndText != 0 && at < len(text),
		op&syntax.EmptyBeginLine != 0 && at > 0 && text[at-1] != '\n',
		op&syntax.EmptyEndLine != 0 && at < len(text) && text[at] != '\n',
		op&syntax.EmptyWordBoundary != 0 && before == after,
		op&syntax.EmptyNoWordBoundary != 0 && before != after:
		return false
	}
	return true
}
