package jinja

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEOF tokenKind = iota
	tokenData
	tokenVariableBegin // {{
	tokenVariableEnd
	tokenBlockBegin // {%
	tokenBlockEnd
	tokenName
	tokenString
	tokenInt
	tokenFloat
	tokenOperator
)

// token is a piece of a template. text is its meaning: data after whitespace control, a string without quotes and escapes.
type token struct {
	kind  tokenKind
	text  string
	int   int64
	float float64
	line  int
}

// lexer cuts a template into tokens.
type lexer struct {
	src       string
	at        int
	line      int
	lineStart bool // what was read last ended in a line break
	tokens    []token
}

func lex(source string) []token {
	source = normalNewlines(source)
	// keep_trailing_newline is off: one line break at the end does not count.
	l := &lexer{src: strings.TrimSuffix(source, "\n"), line: 1, lineStart: true}
	defer func() {
		if e := recover(); e != nil {
			panic(atLine(e, l.line))
		}
	}()
	for l.at < len(l.src) {
		l.root()
	}
	l.emit(token{kind: tokenEOF})
	return l.tokens
}

// atLine gives an error of fail a line, if it has none.
func atLine(e any, line int) any {
	if e, ok := e.(*Error); ok && e.Line == 0 {
		e.Line = line
	}
	return e
}

func normalNewlines(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

func (l *lexer) emit(t token) {
	t.line = l.line
	l.tokens = append(l.tokens, t)
}

// skip goes on by n bytes.
func (l *lexer) skip(n int) {
	passed := l.src[l.at : l.at+n]
	l.line += strings.Count(passed, "\n")
	l.at += n
	l.lineStart = strings.HasSuffix(passed, "\n")
}

func (l *lexer) rest() string { return l.src[l.at:] }

// spaces is how many bytes of white space s begins with.
func spaces(s string) int { return len(s) - len(strings.TrimLeftFunc(s, space)) }

// root reads text up to a tag, and the tag.
func (l *lexer) root() {
	rest := l.rest()
	n := 0
	for ; ; n++ {
		i := strings.IndexByte(rest[n:], '{')
		if i < 0 || n+i+1 >= len(rest) {
			l.emit(token{kind: tokenData, text: rest})
			l.skip(len(rest))
			return
		}
		if n += i; strings.IndexByte("{%#", rest[n+1]) >= 0 {
			break
		}
	}
	tag, sign := rest[n+1], byte(0)
	length := 2
	if n+2 < len(rest) && (rest[n+2] == '-' || rest[n+2] == '+') {
		sign, length = rest[n+2], 3
	}
	l.data(rest[:n], sign, tag != '{')
	l.skip(n + length)
	switch tag {
	case '{':
		l.emit(token{kind: tokenVariableBegin})
		l.expression('}', tokenVariableEnd)
	case '%':
		if after, ok := rawBegin(l.rest()); ok {
			l.skip(after)
			l.raw()
			return
		}
		l.emit(token{kind: tokenBlockBegin})
		l.expression('%', tokenBlockEnd)
	case '#':
		end := strings.Index(l.rest(), "#}")
		if end < 0 {
			fail("a comment has no end")
		}
		l.skip(end + 2 + trimAfter(l.rest(), end))
	}
}

// trimAfter is how many bytes after a tag that ends at end, with the sign before it, are taken away.
func trimAfter(s string, end int) int {
	after := s[end+2:]
	switch {
	case end > 0 && s[end-1] == '-':
		return spaces(after)
	case end > 0 && s[end-1] == '+':
		return 0
	case strings.HasPrefix(after, "\n"):
		return 1
	}
	return 0
}

// data emits text in front of a tag with its sign; lstrip: the tag takes the white space away that begins its line.
func (l *lexer) data(text string, sign byte, lstrip bool) {
	switch {
	case sign == '-':
		text = strings.TrimRightFunc(text, space)
	case sign != '+' && lstrip:
		line := strings.LastIndexByte(text, '\n') + 1
		if (line > 0 || l.lineStart) && strings.TrimLeftFunc(text[line:], space) == "" {
			text = text[:line]
		}
	}
	if text != "" {
		l.emit(token{kind: tokenData, text: text})
	}
}

// rawBegin recognises "raw %}" behind "{%".
func rawBegin(s string) (length int, ok bool) {
	at := spaces(s)
	if !strings.HasPrefix(s[at:], "raw") {
		return 0, false
	}
	at += 3
	at += spaces(s[at:])
	switch {
	case strings.HasPrefix(s[at:], "-%}"):
		return at + 3 + spaces(s[at+3:]), true
	case strings.HasPrefix(s[at:], "%}"):
		return at + 2, true
	}
	return 0, false
}

// raw reads up to {% endraw %}.
func (l *lexer) raw() {
	rest := l.rest()
	for n := 0; ; n += 2 {
		i := strings.Index(rest[n:], "{%")
		if i < 0 {
			fail("a raw block has no end")
		}
		n += i
		at, sign := n+2, byte(0)
		if at < len(rest) && (rest[at] == '-' || rest[at] == '+') {
			sign = rest[at]
			at++
		}
		at += spaces(rest[at:])
		if !strings.HasPrefix(rest[at:], "endraw") {
			continue
		}
		at += 6
		at += spaces(rest[at:])
		if at < len(rest) && (rest[at] == '-' || rest[at] == '+') {
			at++
		}
		if !strings.HasPrefix(rest[at:], "%}") {
			continue
		}
		l.data(rest[:n], sign, true)
		l.skip(at + 2 + trimAfter(rest, at))
		return
	}
}

// operators, longer ones first.
var operators = []string{"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"}

// expression reads tokens up to the end of a tag, which counts only where all brackets are closed.
func (l *lexer) expression(end byte, kind tokenKind) {
	var open []byte
	for {
		rest := l.rest()
		if rest == "" {
			fail("the template ends within a tag")
		}
		if len(open) == 0 {
			signed := rest[0] == '-' || rest[0] == '+' && end == '%'
			tail := rest
			if signed {
				tail = rest[1:]
			}
			if len(tail) >= 2 && tail[0] == end && tail[1] == '}' {
				at := len(rest) - len(tail)
				l.emit(token{kind: kind})
				n := at + 2
				if end == '%' || rest[0] == '-' {
					n += trimAfter(rest, at)
				}
				l.skip(n)
				return
			}
		}
		switch c := rest[0]; {
		case spaces(rest) > 0:
			l.skip(spaces(rest))
		case c >= '0' && c <= '9':
			l.number()
		case c == '\'' || c == '"':
			l.quoted()
		default:
			if n := identifier(rest); n > 0 {
				l.emit(token{kind: tokenName, text: rest[:n]})
				l.skip(n)
				continue
			}
			open = l.operator(open)
		}
	}
}

func (l *lexer) operator(open []byte) []byte {
	rest := l.rest()
	for _, op := range operators {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		switch op {
		case "(":
			open = append(open, ')')
		case "[":
			open = append(open, ']')
		case "{":
			open = append(open, '}')
		case ")", "]", "}":
			if len(open) == 0 || open[len(open)-1] != op[0] {
				fail("%q closes nothing", op)
			}
			open = open[:len(open)-1]
		}
		l.emit(token{kind: tokenOperator, text: op})
		l.skip(len(op))
		return open
	}
	r, _ := utf8.DecodeRuneInString(rest)
	fail("unexpected character %q", r)
	return nil
}

// identifier is the length of the name that s begins with.
func identifier(s string) int {
	for i, r := range s {
		if r == '_' || unicode.IsLetter(r) || i > 0 && (unicode.IsDigit(r) || unicode.Is(unicode.M, r)) {
			continue
		}
		return i
	}
	return len(s)
}

func (l *lexer) number() {
	rest := l.rest()
	digits := func(from int) int {
		n := from
		for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '_' && n > from && n+1 < len(rest) && rest[n+1] >= '0' && rest[n+1] <= '9') {
			n++
		}
		return n
	}
	n := digits(0)
	if rest[0] == '0' && len(rest) > 1 && strings.IndexByte("xXoObB", rest[1]) >= 0 {
		n = 2
		for n < len(rest) && (rest[n] == '_' || strings.IndexByte("0123456789abcdefABCDEF", rest[n]) >= 0) {
			n++
		}
	} else if l.at == 0 || l.src[l.at-1] != '.' {
		float := n
		if n+1 < len(rest) && rest[n] == '.' && digits(n+1) > n+1 {
			float = digits(n + 1)
		}
		if float < len(rest) && (rest[float] == 'e' || rest[float] == 'E') {
			exponent := float + 1
			if exponent < len(rest) && (rest[exponent] == '+' || rest[exponent] == '-') {
				exponent++
			}
			if to := digits(exponent); to > exponent {
				float = to
			}
		}
		if float > n {
			v, _ := strconv.ParseFloat(strings.ReplaceAll(rest[:float], "_", ""), 64) // too large a number is infinite
			l.emit(token{kind: tokenFloat, float: v})
			l.skip(float)
			return
		}
	}
	text := strings.ReplaceAll(rest[:n], "_", "")
	v, err := strconv.ParseInt(text, 0, 64)
	if err != nil || len(text) > 1 && text[0] == '0' && text[1] <= '9' && strings.Trim(text, "0") != "" {
		fail("%.40s is no integer of 64 bits", rest[:n])
	}
	l.emit(token{kind: tokenInt, int: v, text: text})
	l.skip(n)
}

func (l *lexer) quoted() {
	rest := l.rest()
	n := 1
	for ; n < len(rest) && rest[n] != rest[0]; n++ {
		if rest[n] == '\\' {
			n++
		}
	}
	if n >= len(rest) {
		fail("a string has no end")
	}
	l.emit(token{kind: tokenString, text: unescape(rest[1:n])})
	l.skip(n + 1)
}

// unescape reads the escapes of a Python string.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++ // the lexer has seen that something follows
		digits := 0
		switch c := s[i]; c {
		case '\n':
		case '\\', '\'', '"':
			b.WriteByte(c)
		case 'a', 'b', 'f', 'n', 'r', 't', 'v':
			b.WriteByte("\a\b\f\n\r\t\v"[strings.IndexByte("abfnrtv", c)])
		case 'x':
			digits = 2
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		case '0', '1', '2', '3', '4', '5', '6', '7':
			v, n := 0, 0
			for ; n < 3 && i+n < len(s) && s[i+n] >= '0' && s[i+n] <= '7'; n++ {
				v = v*8 + int(s[i+n]-'0')
			}
			b.WriteRune(rune(v))
			i += n - 1
		case 'N':
			fail(`the escape \N{…} is not understood; write the character itself`)
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
		if digits > 0 {
			if i+digits >= len(s) {
				fail("an escape of a string is cut short")
			}
			v, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32)
			if err != nil || v > unicode.MaxRune {
				fail("the escape \\%s is no character", s[i:i+1+digits])
			}
			b.WriteRune(rune(v))
			i += digits
		}
	}
	return b.String()
}
