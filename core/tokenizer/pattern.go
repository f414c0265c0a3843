package tokenizer

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// patternSource is how tokenizer.json writes what to look for.
type patternSource struct {
	String *string
	Regex  *string
}

// pattern finds what an Oniguruma expression of tokenizer.json finds, by Go's engine, which takes linear time on any text.
type pattern struct {
	re *regexp.Regexp
	// Expressions of the GPT-2 family end in `\s+(?!\S)|\s+`: a run of spaces leaves its last one to the word behind it.
	// Go has no lookahead, so the run is group `run` and find gives the last space back.
	run int
}

// gpt2Pattern is the expression by which the ByteLevel pre-tokenizer splits.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

const (
	spaceRun = `\s+(?!\S)|\s+`
	runGroup = "hone_space_run"
)

// What the classes mean in Unicode mode; Go's own are ASCII only. In brackets they stand without the outer ones.
var unicodeClasses = map[byte]string{
	's': `\t-\r\x{85}\p{Z}`,
	'd': `\p{Nd}`,
	'w': `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}`,
	'h': `0-9a-fA-F`,
}

// compile translates an expression, or says by name what Go's engine cannot do with it.
func compile(source string) (*pattern, error) {
	text := source
	if cut, ok := strings.CutSuffix(text, spaceRun); ok && (cut == "" || strings.HasSuffix(cut, "|")) {
		text = cut + `(?P<` + runGroup + `>\s+)`
	}
	if strings.Contains(text, "(?!") || strings.Contains(text, "(?=") || strings.Contains(text, "(?<") {
		return nil, fmt.Errorf("the expression %q looks ahead or behind, which only the ending %q may", source, spaceRun)
	}
	var b strings.Builder
	inClass := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			i++
			lower := text[i] | 0x20
			class, known := unicodeClasses[lower]
			switch {
			case !known:
				b.WriteByte('\\')
				b.WriteByte(text[i])
			case text[i] == lower && inClass:
				b.WriteString(class)
			case text[i] == lower:
				b.WriteString("[" + class + "]")
			case inClass:
				return nil, fmt.Errorf("the expression %q has \\%c in brackets, which is not supported", source, text[i])
			default:
				b.WriteString("[^" + class + "]")
			}
			continue
		case c == '[' && !inClass:
			inClass = true
		case c == '[' && !strings.HasPrefix(text[i:], "[:"):
			return nil, fmt.Errorf("the expression %q has brackets in brackets, which are not supported", source)
		case c == '&' && inClass && strings.HasPrefix(text[i:], "&&"):
			return nil, fmt.Errorf("the expression %q intersects classes (&&), which is not supported", source)
		case c == ']':
			inClass = false
		}
		b.WriteByte(c)
	}
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, fmt.Errorf("the expression %q is not one that Go's RE2 engine can run: %v", source, err)
	}
	if re.MatchString("") {
		return nil, fmt.Errorf("the expression %q matches the empty text", source)
	}
	return &pattern{re, re.SubexpIndex(runGroup)}, nil
}

func mustCompile(source string) *pattern {
	p, err := compile(source)
	if err != nil {
		panic(err)
	}
	return p
}

// find gives the matches, from left to right, not overlapping, as byte ranges.
func (p *pattern) find(text string) [][2]int {
	var out [][2]int
	for at := 0; at < len(text); {
		// Cutting the text instead of asking for all matches lets a shortened run hand its last space on.
		m := p.re.FindStringSubmatchIndex(text[at:])
		if m == nil {
			break
		}
		start, end := at+m[0], at+m[1]
		if p.run > 0 && m[2*p.run] >= 0 && end < len(text) {
			if _, w := utf8.DecodeLastRuneInString(text[start:end]); end-w > start {
				end -= w
			}
		}
		if end == start { // an expression such as \b can match the empty text within one
			_, w := utf8.DecodeRuneInString(text[start:])
			at = start + w
			continue
		}
		out = append(out, [2]int{start, end})
		at = end
	}
	return out
}
