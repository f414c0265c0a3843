package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A preTokenizer cuts a text into the words that the model sees, and gives them to yield in order. first says that the
// text begins what is encoded, and goes on to the word that does.
type preTokenizer interface {
	split(text string, first bool, yield func(word string, first bool))
	growth() growth
}

var preTokenizerKinds = []string{"Sequence", "ByteLevel", "Metaspace", "Split", "Whitespace", "WhitespaceSplit", "Punctuation", "Digits",
	"BertPreTokenizer", "CharDelimiterSplit", "UnicodeScripts", "FixedLength"}

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
			if inner, ok := p.(preTokenizers); ok {
				seq = append(seq, inner...)
			} else {
				seq = append(seq, p)
			}
			if len(seq) > 256 {
				return nil, fmt.Errorf("%s Sequence: more than 256 parts", role)
			}
		}
		return seq, nil
	case "ByteLevel":
		f := struct {
			AddPrefixSpace bool `json:"add_prefix_space"`
			UseRegex       bool `json:"use_regex"`
		}{true, true}
		err := fields(raw, role, kind, &f)
		return byteLevel{prefixSpace: f.AddPrefixSpace, regex: f.UseRegex}, err
	case "Metaspace":
		return readMetaspace(raw, role)
	case "Digits":
		var f struct {
			IndividualDigits bool `json:"individual_digits"`
		}
		err := fields(raw, role, kind, &f)
		return splitter{runs(unicode.IsNumber, f.IndividualDigits), "Isolated", false}, err
	case "Split":
		return readSplit(raw, role)
	case "Whitespace":
		return splitter{wordsAndSigns, "Removed", true}, nil
	case "WhitespaceSplit":
		return splitter{runs(unicode.IsSpace, true), "Removed", false}, nil
	case "Punctuation":
		f := struct {
			Behavior string `json:"behavior"`
		}{"Isolated"}
		if err := fields(raw, role, kind, &f); err != nil {
			return nil, err
		}
		return splitter{runs(isPunctuation, true), f.Behavior, false}, checkBehavior(role, kind, f.Behavior)
	case "BertPreTokenizer":
		return preTokenizers{
			splitter{runs(unicode.IsSpace, true), "Removed", false},
			splitter{runs(isPunctuation, true), "Isolated", false},
		}, nil
	case "CharDelimiterSplit":
		var f struct {
			Delimiter string `json:"delimiter"`
		}
		if err := fields(raw, role, kind, &f); err != nil {
			return nil, err
		}
		if utf8.RuneCountInString(f.Delimiter) != 1 {
			return nil, fmt.Errorf("%s %s: delimiter %q is not one character", role, kind, f.Delimiter)
		}
		return splitter{occurrences(f.Delimiter), "Removed", false}, nil
	case "UnicodeScripts":
		return scripts{}, nil
	case "FixedLength":
		f := struct {
			Length int `json:"length"`
		}{5}
		if err := fields(raw, role, kind, &f); err != nil {
			return nil, err
		}
		if f.Length < 1 {
			return nil, fmt.Errorf("%s %s: length %d; expected at least 1", role, kind, f.Length)
		}
		return fixedLength(f.Length), nil
	}
	panic("tokenizer: pre-tokenizer kind " + kind + " is listed but not built")
}

type preTokenizers []preTokenizer

func (s preTokenizers) split(text string, first bool, yield func(string, bool)) {
	switch len(s) {
	case 0:
		yield(text, first)
	case 1:
		s[0].split(text, first, yield)
	default:
		s[0].split(text, first, func(word string, first bool) { s[1:].split(word, first, yield) })
	}
}

func (s preTokenizers) growth() growth {
	g := sameLength
	for _, p := range s {
		g = g.then(p.growth())
	}
	return g
}

// splitter cuts around what find matches (with invert: around what it does not) and treats the matches by behavior.
type splitter struct {
	find     func(text string, yield func(start, end int) bool)
	behavior string
	invert   bool
}

var splitBehaviors = []string{"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"}

func checkBehavior(role, kind, behavior string) error {
	if slices.Contains(splitBehaviors, behavior) {
		return nil
	}
	return fmt.Errorf("%s %s: behavior %q is not one of %s", role, kind, behavior, strings.Join(splitBehaviors, ", "))
}

func readSplit(raw json.RawMessage, role string) (preTokenizer, error) {
	var f struct {
		Pattern  patternSource `json:"pattern"`
		Behavior string        `json:"behavior"`
		Invert   bool          `json:"invert"`
	}
	if err := fields(raw, role, "Split", &f); err != nil {
		return nil, err
	}
	if err := checkBehavior(role, "Split", f.Behavior); err != nil {
		return nil, err
	}
	s := splitter{behavior: f.Behavior, invert: f.Invert}
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

func (s splitter) growth() growth { return sameLength }

func (s splitter) split(text string, first bool, yield func(string, bool)) {
	// The word that is not given out yet, because what follows may belong to it, and whether it is or ends in a match.
	from, to, held, match := 0, 0, false, false
	give := func() {
		if held {
			yield(text[from:to], first && from == 0)
		}
		held = false
	}
	add := func(start, end int, now bool) {
		join := false
		switch s.behavior {
		case "Removed":
			if now {
				give()
				return
			}
		case "Contiguous":
			join = match == now
		case "MergedWithPrevious":
			join = now && !match
		case "MergedWithNext":
			join = match && !now
		}
		if !held || !join {
			give()
			from = start
		}
		to, held, match = end, true, now
	}
	at := 0
	s.find(text, func(start, end int) bool {
		if at < start {
			add(at, start, s.invert)
		}
		add(start, end, !s.invert)
		at = end
		return true
	})
	if at < len(text) {
		add(at, len(text), s.invert)
	}
	give()
}

// runs finds stretches of characters of one class, or with single each character by itself.
func runs(in func(rune) bool, single bool) func(string, func(int, int) bool) {
	return func(text string, yield func(int, int) bool) {
		start := -1
		for i, r := range text {
			yes := in(r)
			if start >= 0 && (single || !yes) {
				if !yield(start, i) {
					return
				}
				start = -1
			}
			if yes && start < 0 {
				start = i
			}
		}
		if start >= 0 {
			yield(start, len(text))
		}
	}
}

// wordsAndSigns finds stretches of word characters and of what is neither that nor white space.
func wordsAndSigns(text string, yield func(int, int) bool) {
	const none, word, sign = 0, 1, 2
	start, inside := 0, none
	for i, r := range text {
		kind := sign
		if isWord(r) {
			kind = word
		} else if unicode.IsSpace(r) {
			kind = none
		}
		if kind == inside {
			continue
		}
		if inside != none && !yield(start, i) {
			return
		}
		start, inside = i, kind
	}
	if inside != none {
		yield(start, len(text))
	}
}

func occurrences(of string) func(string, func(int, int) bool) {
	return func(text string, yield func(int, int) bool) {
		for at := 0; ; at += len(of) {
			i := strings.Index(text[at:], of)
			if i < 0 || !yield(at+i, at+i+len(of)) {
				return
			}
			at += i
		}
	}
}

// isPunctuation is Unicode's, and everything printable in ASCII that is neither letter nor digit.
func isPunctuation(r rune) bool {
	return r > ' ' && r < 0x7F && !(r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z') || unicode.Is(unicode.P, r)
}

// fixedLength cuts after so many characters.
type fixedLength int

func (n fixedLength) split(text string, first bool, yield func(string, bool)) {
	from, count := 0, 0
	for i := range text {
		if count == int(n) {
			yield(text[from:i], first && from == 0)
			from, count = i, 0
		}
		count++
	}
	if from < len(text) {
		yield(text[from:], first && from == 0)
	}
}

func (fixedLength) growth() growth { return sameLength }
