package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// metaspace writes spaces as a visible character, commonly ▁, and cuts in front of each. It serves as pre-tokenizer and as decoder.
type metaspace struct {
	mark   string
	scheme string // when a mark is put in front: always, first (only at the beginning of what is encoded) or never
	cut    bool
}

func readMetaspace(raw json.RawMessage, role string) (metaspace, error) {
	f := struct {
		Replacement    string `json:"replacement"`
		AddPrefixSpace *bool  `json:"add_prefix_space"` // how older files write the scheme
		PrependScheme  string `json:"prepend_scheme"`
		Split          *bool  `json:"split"`
	}{Replacement: space, PrependScheme: "always"}
	if err := fields(raw, role, "Metaspace", &f); err != nil {
		return metaspace{}, err
	}
	if utf8.RuneCountInString(f.Replacement) != 1 {
		return metaspace{}, fmt.Errorf("%s Metaspace: replacement %q is not one character", role, f.Replacement)
	}
	if f.AddPrefixSpace != nil && !*f.AddPrefixSpace {
		f.PrependScheme = "never"
	}
	switch f.PrependScheme {
	case "always", "first", "never":
	default:
		return metaspace{}, fmt.Errorf("%s Metaspace: prepend_scheme %q is not one of always, first, never", role, f.PrependScheme)
	}
	return metaspace{f.Replacement, f.PrependScheme, f.Split == nil || *f.Split}, nil
}

func (m metaspace) split(text string, first bool, yield func(string, bool)) {
	text = strings.ReplaceAll(text, " ", m.mark)
	if text != "" && !strings.HasPrefix(text, m.mark) && (m.scheme == "always" || m.scheme == "first" && first) {
		text = m.mark + text
	}
	if !m.cut {
		yield(text, first)
		return
	}
	splitter{occurrences(m.mark), "MergedWithNext", false}.split(text, first, yield)
}

func (m metaspace) growth() growth { return growth{float64(len(m.mark)), float64(len(m.mark))} }

// metaspaceDecoder writes marks as spaces; those of the first token were put in front, unless the scheme is never.
type metaspaceDecoder struct{ metaspace }

func (metaspaceDecoder) growth() growth { return sameLength }

func (m metaspaceDecoder) decode(tokens []string) []string {
	for i, t := range tokens {
		with := " "
		if i == 0 && m.scheme != "never" {
			with = ""
		}
		tokens[i] = strings.ReplaceAll(t, m.mark, with)
	}
	return tokens
}
