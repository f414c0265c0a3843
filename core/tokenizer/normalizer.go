package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// A normalizer rewrites a section of text before it is split.
type normalizer interface {
	normalize(text string) string
	growth() growth
}

var normalizerKinds = []string{"Sequence", "Prepend", "Replace", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents",
	"Nmt", "Precompiled", "BertNormalizer", "ByteLevel"}

func readNormalizer(raw json.RawMessage, depth int) (normalizer, error) {
	const role = "normalizer"
	kind, err := kindOf(raw, role, depth, normalizerKinds)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "Sequence":
		var f struct {
			Normalizers []json.RawMessage `json:"normalizers"`
		}
		if err := fields(raw, role, kind, &f); err != nil {
			return nil, err
		}
		var seq normalizers
		for _, r := range f.Normalizers {
			n, err := readNormalizer(r, depth+1)
			if err != nil {
				return nil, err
			}
			seq = append(seq, n)
		}
		return seq, nil
	case "Prepend":
		var f struct {
			Prepend string `json:"prepend"`
		}
		err := fields(raw, role, kind, &f)
		return prepend(f.Prepend), err
	case "Replace":
		return readReplacement(raw, role)
	case "NFC":
		return form{norm.NFC, 3}, nil
	case "NFD":
		return form{norm.NFD, 4}, nil
	case "NFKC":
		return form{norm.NFKC, 11}, nil
	case "NFKD":
		return form{norm.NFKD, 11}, nil
	case "Lowercase":
		return lowercase{}, nil
	case "Strip":
		f := trim{true, true}
		err := fields(raw, role, kind, &f)
		return f, err
	case "StripAccents":
		return stripAccents{}, nil
	case "Nmt":
		return nmt{}, nil
	case "Precompiled":
		return readCharsmap(raw, role)
	case "BertNormalizer":
		return readBert(raw, role)
	case "ByteLevel":
		return byteWriter{}, nil
	}
	panic("tokenizer: normalizer kind " + kind + " is listed but not built")
}

type normalizers []normalizer

func (s normalizers) normalize(text string) string {
	for _, n := range s {
		text = n.normalize(text)
	}
	return text
}

func (s normalizers) growth() growth {
	g := sameLength
	for _, n := range s {
		g = g.then(n.growth())
	}
	return g
}

// prepend puts a text in front of every section that is not empty.
type prepend string

func (p prepend) normalize(text string) string {
	if text == "" {
		return text
	}
	return string(p) + text
}

func (p prepend) growth() growth { return growth{1, float64(len(p))} }

// replacement exchanges every occurrence of a text or pattern; it serves as normalizer and as decoder.
type replacement struct {
	old     string   // used when pattern is nil
	pattern *pattern // never matches the empty text
	content string
}

func readReplacement(raw json.RawMessage, role string) (replacement, error) {
	var f struct {
		Pattern patternSource `json:"pattern"`
		Content string        `json:"content"`
	}
	if err := fields(raw, role, "Replace", &f); err != nil {
		return replacement{}, err
	}
	r := replacement{content: f.Content}
	switch {
	case f.Pattern.Regex != nil:
		p, err := compile(*f.Pattern.Regex)
		if err != nil {
			return r, fmt.Errorf("%s Replace: %w", role, err)
		}
		r.pattern = p
	case f.Pattern.String != nil && *f.Pattern.String != "":
		r.old = *f.Pattern.String
	default:
		return r, fmt.Errorf("%s Replace: the pattern is empty; expected {\"String\": …} or {\"Regex\": …}", role)
	}
	return r, nil
}

func (r replacement) normalize(text string) string {
	if r.pattern == nil {
		return strings.ReplaceAll(text, r.old, r.content)
	}
	var b strings.Builder
	at := 0
	r.pattern.find(text, func(start, end int) bool {
		b.WriteString(text[at:start])
		b.WriteString(r.content)
		at = end
		return true
	})
	if at == 0 {
		return text
	}
	b.WriteString(text[at:])
	return b.String()
}

func (r replacement) growth() growth {
	shortest := 1
	if r.pattern == nil {
		shortest = len(r.old)
	}
	return growth{max(1, float64(len(r.content))/float64(shortest)), 0}
}

func (r replacement) decode(tokens []string) []string {
	for i, t := range tokens {
		tokens[i] = r.normalize(t)
	}
	return tokens
}

// form is a Unicode normalisation form. The growth factors are those of Unicode Standard Annex 15, section 9, for UTF-8.
type form struct {
	norm.Form
	factor float64
}

func (f form) normalize(text string) string { return f.String(text) }
func (f form) growth() growth               { return growth{f.factor, 0} }

// lowercase maps every character by itself; a final sigma is not treated apart.
type lowercase struct{}

func (lowercase) normalize(text string) string {
	// U+0130 is the one character whose lower case is two characters; Go's table has the one-character mapping.
	return strings.ToLower(strings.ReplaceAll(text, "\u0130", "i\u0307"))
}
func (lowercase) growth() growth { return growth{1.5, 0} }

// byteWriter is the ByteLevel normalizer.
type byteWriter struct{}

func (byteWriter) normalize(text string) string { return writeBytes(text) }
func (byteWriter) growth() growth               { return growth{2, 0} }
