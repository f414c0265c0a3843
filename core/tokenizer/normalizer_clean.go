package tokenizer

import (
	"encoding/json"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The normalisers that drop and exchange single characters.

// trim takes white space off the ends.
type trim struct {
	Left  bool `json:"strip_left"`
	Right bool `json:"strip_right"`
}

func (t trim) normalize(text string) string {
	if t.Left {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
	}
	if t.Right {
		text = strings.TrimRightFunc(text, unicode.IsSpace)
	}
	return text
}
func (trim) growth() growth { return sameLength }

// stripAccents drops combining marks; NFD commonly goes before and parts them from their letters.
type stripAccents struct{}

func (stripAccents) normalize(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.M, r) {
			return -1
		}
		return r
	}, text)
}
func (stripAccents) growth() growth { return growth{3, 0} } // a stray byte becomes U+FFFD

// nmt drops control characters and makes the various spaces one, as the sets nmt_* of SentencePiece do.
type nmt struct{}

func (nmt) normalize(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0x1 && r <= 0x8, r == 0xB, r >= 0xE && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
			return -1
		case r == 0x9, r == 0xA, r == 0xC, r == 0xD, r == 0x1680, r >= 0x200B && r <= 0x200F, r == 0x2028, r == 0x2029,
			r == 0x2581, r == 0xFEFF, r == 0xFFFD:
			return ' '
		}
		return r
	}, text)
}
func (nmt) growth() growth { return sameLength }

// bert is the cleaning of BERT's BasicTokenizer.
type bert struct{ clean, chinese, accents, lower bool }

func readBert(raw json.RawMessage, role string) (normalizer, error) {
	f := struct {
		CleanText          bool  `json:"clean_text"`
		HandleChineseChars bool  `json:"handle_chinese_chars"`
		StripAccents       *bool `json:"strip_accents"`
		Lowercase          bool  `json:"lowercase"`
	}{true, true, nil, true}
	err := fields(raw, role, "BertNormalizer", &f)
	b := bert{f.CleanText, f.HandleChineseChars, f.Lowercase, f.Lowercase} // accents go with the case unless said
	if f.StripAccents != nil {
		b.accents = *f.StripAccents
	}
	return b, err
}

func (b bert) normalize(text string) string {
	if b.clean {
		text = strings.Map(func(r rune) rune {
			switch {
			case unicode.IsSpace(r):
				return ' '
			// Format, private and unassigned characters count as control characters.
			case r == 0, r == 0xFFFD, unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs), !unicode.In(r, assigned...):
				return -1
			}
			return r
		}, text)
	}
	if b.chinese {
		var out strings.Builder
		for _, r := range text {
			if isIdeograph(r) {
				out.WriteByte(' ')
				out.WriteRune(r)
				out.WriteByte(' ')
			} else {
				out.WriteRune(r)
			}
		}
		text = out.String()
	}
	if b.accents {
		text = strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Mn, r) {
				return -1
			}
			return r
		}, norm.NFD.String(text))
	}
	if b.lower {
		text = lowercase{}.normalize(text)
	}
	return text
}

func (b bert) growth() growth { return growth{3 * 4 * 1.5, 0} } // an ideograph gets two spaces, NFD, lower case

var assigned = []*unicode.RangeTable{unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.C}

// isIdeograph knows the blocks that BERT takes for Chinese: ideographs, but no kana and no hangul.
func isIdeograph(r rune) bool {
	return r >= 0x4E00 && r <= 0x9FFF || r >= 0x3400 && r <= 0x4DBF || r >= 0x20000 && r <= 0x2A6DF || r >= 0x2A700 && r <= 0x2B73F ||
		r >= 0x2B740 && r <= 0x2B81F || r >= 0x2B920 && r <= 0x2CEAF || r >= 0xF900 && r <= 0xFAFF || r >= 0x2F800 && r <= 0x2FA1F
}
