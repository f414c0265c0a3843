package tokenizer

import (
	"fmt"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
)

// patternSource is how tokenizer.json writes what to look for.
type patternSource struct {
	String *string
	Regex  *string
}

// gpt2Pattern is the expression by which the ByteLevel pre-tokenizer splits.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

const (
	maxInstructions = 1 << 14 // of a compiled expression; those in use have some hundreds
	maxLook         = 16      // characters that an expression may look ahead
	lookGroup       = "hone_look_"
)

// What the classes mean to Oniguruma in Unicode mode; Go's own are ASCII only. In brackets they stand without the outer ones.
var unicodeClasses = map[byte]string{
	's': `\t-\r\x{85}\p{Z}`,
	'd': `\p{Nd}`,
	'w': `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}²³¹¼½¾`,
	'h': `0-9a-fA-F`,
}

// posixClass writes a class that POSIX names, empty for one that is not supported.
func posixClass(name string) string {
	switch name {
	case "[:alnum:]", "[:alpha:]":
		class := `\p{L}\p{Nl}` + writeTable(unicode.Other_Alphabetic)
		if name == "[:alnum:]" {
			class += `\p{Nd}`
		}
		return class
	case "[:digit:]":
		return `\p{Nd}`
	case "[:lower:]":
		return `\p{Ll}`
	case "[:punct:]":
		return `\p{P}\p{S}`
	case "[:space:]":
		return unicodeClasses['s']
	case "[:upper:]":
		return `\p{Lu}`
	}
	return ""
}

func writeTable(table *unicode.RangeTable) string {
	var b strings.Builder
	for _, r := range table.R16 {
		for c := uint32(r.Lo); c <= uint32(r.Hi); c += uint32(r.Stride) {
			fmt.Fprintf(&b, `\x{%x}`, c)
		}
	}
	for _, r := range table.R32 {
		for c := r.Lo; c <= r.Hi; c += r.Stride {
			fmt.Fprintf(&b, `\x{%x}`, c)
		}
	}
	return b.String()
}

// translation turns an Oniguruma expression, as tokenizer.json has them, into one of package regexp/syntax. A lookahead
// becomes an empty named group, and what it looks for is kept aside.
type translation struct {
	source string
	at     int
	out    strings.Builder
	looks  []lookSource
	nested bool // what a lookahead looks for: it has none of its own
}

type lookSource struct {
	source string
	negate bool
}

// compile makes a matcher of an expression, or says by name what is not supported.
func compile(source string) (*pattern, error) {
	p, err := compileInside(source, false)
	if err != nil {
		return nil, fmt.Errorf("the expression %q %w", source, err)
	}
	if end, ok := p.match("", 0); ok && end == 0 {
		return nil, fmt.Errorf("the expression %q matches the empty text", source)
	}
	return p, nil
}

func compileInside(source string, nested bool) (*pattern, error) {
	t := translation{source: source, nested: nested}
	if err := t.run(); err != nil {
		return nil, err
	}
	// In Oniguruma's syntax ^ and $ mean lines.
	re, err := syntax.Parse(t.out.String(), syntax.Perl&^syntax.OneLine)
	if err != nil {
		return nil, fmt.Errorf("is not supported: %w", err)
	}
	if nested {
		if n := longest(re); n > maxLook {
			return nil, fmt.Errorf("looks ahead without bound; at most %d characters are supported", maxLook)
		}
	}
	var looks []look
	for _, l := range t.looks {
		sub, err := compileInside(l.source, true)
		if err != nil {
			return nil, err
		}
		looks = append(looks, look{sub, l.negate})
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, fmt.Errorf("is not supported: %w", err)
	}
	if len(prog.Inst) > maxInstructions {
		return nil, fmt.Errorf("becomes %d instructions; at most %d are accepted", len(prog.Inst), maxInstructions)
	}
	return newPattern(prog, re.CapNames(), looks), nil
}

func mustCompile(source string) *pattern {
	p, err := compile(source)
	if err != nil {
		panic(err)
	}
	return p
}

// run translates up to the end.
func (t *translation) run() error {
	for t.at < len(t.source) {
		rest := t.source[t.at:]
		switch {
		case rest[0] == '\\':
			if err := t.escape(false); err != nil {
				return err
			}
		case rest[0] == '[':
			if err := t.class(0); err != nil {
				return err
			}
		case strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!"):
			if err := t.look(); err != nil {
				return err
			}
		case strings.HasPrefix(rest, "(?<=") || strings.HasPrefix(rest, "(?<!"):
			return fmt.Errorf("looks behind, which is not supported")
		case strings.HasPrefix(rest, "(?") && !strings.HasPrefix(rest, "(?<") && !strings.HasPrefix(rest, "(?P"):
			if err := t.flags(); err != nil {
				return err
			}
		default:
			t.out.WriteByte(rest[0])
			t.at++
		}
	}
	return nil
}

// escape translates a backslash and what belongs to it.
func (t *translation) escape(inClass bool) error {
	if t.at+1 == len(t.source) {
		return fmt.Errorf("ends in a backslash")
	}
	c := t.source[t.at+1]
	t.at += 2
	class, known := unicodeClasses[c|0x20]
	switch {
	case known && c|0x20 == c && inClass:
		t.out.WriteString(class)
	case known && c|0x20 == c:
		t.out.WriteString("[" + class + "]")
	case known && inClass:
		inverse, err := complement(class)
		if err != nil {
			return err
		}
		t.out.WriteString(inverse)
	case known:
		t.out.WriteString("[^" + class + "]")
	case c == 'u':
		if t.at+4 > len(t.source) {
			return fmt.Errorf(`has \u without four digits`)
		}
		t.out.WriteString(`\x{` + t.source[t.at:t.at+4] + `}`)
		t.at += 4
	case c == 'Z':
		return fmt.Errorf(`has \Z, which is not supported`)
	case c < '0' || c > '9' && c < 'A' || c > 'Z' && c < 'a' || c > 'z':
		if c < 0x80 {
			fmt.Fprintf(&t.out, `\x{%x}`, c)
		} else {
			t.out.WriteByte(c) // the character begins here, its other bytes follow
		}
	default:
		t.out.WriteByte('\\')
		t.out.WriteByte(c)
	}
	return nil
}

// complement writes the characters outside of a class as ranges.
func complement(class string) (string, error) {
	re, err := syntax.Parse("[^"+class+"]", syntax.Perl)
	if err != nil || re.Op != syntax.OpCharClass {
		return "", fmt.Errorf("has a class that cannot be inverted")
	}
	var b strings.Builder
	for i := 0; i < len(re.Rune); i += 2 {
		fmt.Fprintf(&b, `\x{%x}-\x{%x}`, re.Rune[i], re.Rune[i+1])
	}
	return b.String(), nil
}

// class translates brackets. A class within a class is their union, so its brackets can go.
func (t *translation) class(depth int) error {
	t.at++
	negated := strings.HasPrefix(t.source[t.at:], "^")
	if depth > 0 && negated {
		return fmt.Errorf("has an inverted class in a class, which is not supported")
	}
	if depth > 8 {
		return fmt.Errorf("nests classes too deep")
	}
	if depth == 0 {
		t.out.WriteByte('[')
	}
	if negated {
		t.out.WriteByte('^')
		t.at++
	}
	for first := true; t.at < len(t.source); first = false {
		rest := t.source[t.at:]
		switch {
		case rest[0] == ']' && !first:
			t.at++
			if depth == 0 {
				t.out.WriteByte(']')
			}
			return nil
		case rest[0] == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		case strings.HasPrefix(rest, "[:"):
			name := rest[:strings.Index(rest, "]")+1]
			class := posixClass(name)
			if class == "" {
				return fmt.Errorf("has the class %s, which is not supported", strconv.Quote(name))
			}
			t.out.WriteString(class)
			t.at += len(name)
		case rest[0] == '[':
			if err := t.class(depth + 1); err != nil {
				return err
			}
		case strings.HasPrefix(rest, "&&"):
			return fmt.Errorf("intersects classes (&&), which is not supported")
		case rest[0] == ']' || rest[0] == '^':
			fmt.Fprintf(&t.out, `\x{%x}`, rest[0])
			t.at++
		default:
			t.out.WriteByte(rest[0])
			t.at++
		}
	}
	return fmt.Errorf("has a bracket that is not closed")
}

// flags translates (?i), (?m: and the like: Oniguruma's m lets . match line ends, which Go calls s.
func (t *translation) flags() error {
	end := strings.IndexAny(t.source[t.at:], ":)")
	if end < 0 {
		return fmt.Errorf("has a group that is not closed")
	}
	head := t.source[t.at : t.at+end]
	if strings.Trim(head[2:], "im-") != "" {
		return fmt.Errorf("has the group %s, which is not supported", strconv.Quote(head))
	}
	t.out.WriteString(strings.ReplaceAll(head, "m", "s"))
	t.at += end
	return nil
}

// look takes a lookahead out.
func (t *translation) look() error {
	if t.nested {
		return fmt.Errorf("has a lookahead in a lookahead, which is not supported")
	}
	from, depth, inClass := t.at+3, 1, 0
	for i := from; i < len(t.source); i++ {
		switch c := t.source[i]; {
		case c == '\\':
			i++
		case c == '[':
			inClass++
		case c == ']' && inClass > 0:
			inClass--
		case c == '(' && inClass == 0:
			depth++
		case c == ')' && inClass == 0:
			depth--
		}
		if depth == 0 {
			fmt.Fprintf(&t.out, "(?P<%s%d>)", lookGroup, len(t.looks))
			t.looks = append(t.looks, lookSource{t.source[from:i], t.source[t.at+2] == '!'})
			t.at = i + 1
			return nil
		}
	}
	return fmt.Errorf("has a lookahead that is not closed")
}

// longest is the number of characters of the longest text that an expression matches, or more than maxLook.
func longest(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpStar, syntax.OpPlus:
		return maxLook + 1
	case syntax.OpRepeat:
		if re.Max < 0 {
			return maxLook + 1
		}
		return min(re.Max*longest(re.Sub[0]), maxLook+1)
	case syntax.OpAlternate:
		most := 0
		for _, s := range re.Sub {
			most = max(most, longest(s))
		}
		return most
	}
	sum := 0
	for _, s := range re.Sub {
		sum = min(sum+longest(s), maxLook+1)
	}
	return sum
}
