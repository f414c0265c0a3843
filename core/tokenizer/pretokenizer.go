package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// A preTokenizer cuts pieces into smaller ones, the words that the model sees.
type preTokenizer interface {
	split(pieces []string) []string
	growth() float64
}

var preTokenizerKinds = []string{"Sequence", "ByteLevel", "Digits", "Split", "Whitespace", "WhitespaceSplit"}

func readPreTokenizer(raw json.RawMessage, depth int) (preTokenizer, error) {
	const role = "pre_tokenizer"
	kind, err := kindOf(raw, role, depth, preTokenizerKinds)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "Sequence":
		var f struct {
			Pretokenizers []json.RawMessage `json:"pretokenizers"`
		}
		if err := fields(raw, role, kind, &f); err != nil {
			return nil, err
		}
		var seq preTokenizers
		for _, r := range f.Pretokenizers {
			p, err := readPreTokenizer(r, depth+1)
			if err != nil {
				return nil, err
			}
			seq = append(seq, p)
		}
		return seq, nil
	case "ByteLevel":
		f := struct {
			AddPrefixSpace bool `json:"add_prefix_space"`
			UseRegex       bool `json:"use_regex"`
		}{true, true}
		err := fields(raw, role, kind, &f)
		return byteLevel{f.AddPrefixSpace, f.UseRegex}, err
	case "Digits":
		var f struct {
			IndividualDigits bool `json:"individual_digits"`
		}
		err := fields(raw, role, kind, &f)
		return splitter{runs(unicode.IsNumber, f.IndividualDigits), "Isolated", false}, err
	case "Split":
		return readSplit(raw, role)
	case "Whitespace":
		return splitter{mustCompile(`\w+|[^\w\s]+`).find, "Removed", true}, nil
	case "WhitespaceSplit":
		return splitter{runs(unicode.IsSpace, false), "Removed", false}, nil
	}
	panic("tokenizer: pre-tokenizer kind " + kind + " is listed but not built")
}

type preTokenizers []preTokenizer

func (s preTokenizers) split(pieces []string) []string {
	for _, p := range s {
		pieces = p.split(pieces)
	}
	return pieces
}

func (s preTokenizers) growth() float64 {
	g := 1.0
	for _, p := range s {
		g *= p.growth()
	}
	return g
}

// splitter cuts around what find matches (with invert: around what it does not) and treats the matches by behavior.
type splitter struct {
	find     func(text string) [][2]int
	behavior string
	invert   bool
}

var splitBehaviors = []string{"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"}

func readSplit(raw json.RawMessage, role string) (preTokenizer, error) {
	var f struct {
		Pattern  patternSource `json:"pattern"`
		Behavior string        `json:"behavior"`
		Invert   bool          `json:"invert"`
	}
	if err := fields(raw, role, "Split", &f); err != nil {
		return nil, err
	}
	s := splitter{behavior: f.Behavior, invert: f.Invert}
	known := false
	for _, b := range splitBehaviors {
		known = known || b == f.Behavior
	}
	if !known {
		return nil, fmt.Errorf("%s Split: behavior %q is not one of %s", role, f.Behavior, strings.Join(splitBehaviors, ", "))
	}
	switch {
	case f.Pattern.Regex != nil:
		p, err := compile(*f.Pattern.Regex)
		if err != nil {
			return nil, fmt.Errorf("%s Split: %w", role, err)
		}
		s.find = p.find
	case f.Pattern.String != nil && *f.Pattern.String != "":
		s.find = occurrences(*f.Pattern.String)
	default:
		return nil, fmt.Errorf("%s Split: the pattern is empty; expected {\"String\": …} or {\"Regex\": …}", role)
	}
	return s, nil
}

func (s splitter) growth() float64 { return 1 }

func (s splitter) split(pieces []string) []string {
	out := make([]string, 0, len(pieces))
	for _, text := range pieces {
		out = s.cut(text, out)
	}
	return out
}

// span is a stretch of a piece, matched or between matches.
type span struct {
	start, end int
	match      bool
}

func (s splitter) cut(text string, out []string) []string {
	var spans []span
	at := 0
	for _, m := range s.find(text) {
		if at < m[0] {
			spans = append(spans, span{at, m[0], s.invert})
		}
		spans = append(spans, span{m[0], m[1], !s.invert})
		at = m[1]
	}
	if at < len(text) {
		spans = append(spans, span{at, len(text), s.invert})
	}
	from := len(out)
	for i, sp := range spans {
		word := text[sp.start:sp.end]
		join := false // with the word before
		switch s.behavior {
		case "Removed":
			if sp.match {
				continue
			}
		case "Contiguous":
			join = i > 0 && spans[i-1].match == sp.match
		case "MergedWithPrevious":
			join = i > 0 && sp.match && !spans[i-1].match
		case "MergedWithNext":
			join = i > 0 && spans[i-1].match && !sp.match
		}
		if join && len(out) > from {
			// Both lie side by side in text, so the join is a longer view of it.
			last := len(out[len(out)-1])
			out[len(out)-1] = text[sp.start-last : sp.end]
			continue
		}
		out = append(out, word)
	}
	return out
}

// runs finds stretches of characters of one class, or with single each character by itself.
func runs(in func(rune) bool, single bool) func(string) [][2]int {
	return func(text string) [][2]int {
		var out [][2]int
		inside := false
		for i, r := range text {
			switch yes := in(r); {
			case yes && inside && !single:
			case yes:
				if inside {
					out[len(out)-1][1] = i
				}
				out = append(out, [2]int{i, len(text)})
				inside = true
			case inside:
				out[len(out)-1][1] = i
				inside = false
			}
		}
		return out
	}
}

func occurrences(of string) func(string) [][2]int {
	return func(text string) [][2]int {
		var out [][2]int
		for at := 0; ; {
			i := strings.Index(text[at:], of)
			if i < 0 {
				return out
			}
			out = append(out, [2]int{at + i, at + i + len(of)})
			at += i + len(of)
		}
	}
}
