package tokenizer

import (
	"encoding/json"
	"strings"
)

// The decoders that put spaces between words.

// tidy takes the spaces out that a list of words has and English has not.
var tidy = strings.NewReplacer(" .", ".", " ?", "?", " !", "!", " ,", ",", " ' ", "'", " n't", "n't", " 'm", "'m", " do not", " don't",
	" 's", "'s", " 've", "'ve", " 're", "'re")

// wordPieceDecoder joins what begins with the prefix to the token before, and puts a space in front of all else.
type wordPieceDecoder struct {
	Prefix  string `json:"prefix"`
	Cleanup bool   `json:"cleanup"`
}

func readWordPieceDecoder(raw json.RawMessage, role string) (decoder, error) {
	d := wordPieceDecoder{"##", true}
	err := fields(raw, role, "WordPiece", &d)
	return d, err
}

func (wordPieceDecoder) growth() growth { return growth{1, 1} }

func (d wordPieceDecoder) decode(tokens []string) []string {
	for i, t := range tokens {
		if i > 0 {
			if rest, ok := strings.CutPrefix(t, d.Prefix); ok {
				t = rest
			} else {
				t = " " + t
			}
		}
		if d.Cleanup {
			t = tidy.Replace(t)
		}
		tokens[i] = t
	}
	return tokens
}

// suffixDecoder is for tokens that mark the end of a word, which becomes a space; the last one becomes nothing.
type suffixDecoder struct {
	Suffix string `json:"suffix"`
}

func readSuffixDecoder(raw json.RawMessage, role string) (decoder, error) {
	d := suffixDecoder{"</w>"}
	err := fields(raw, role, "BPEDecoder", &d)
	return d, err
}

func (suffixDecoder) growth() growth { return growth{1, 1} }

func (d suffixDecoder) decode(tokens []string) []string {
	if d.Suffix == "" {
		return tokens
	}
	for i, t := range tokens {
		with := " "
		if i == len(tokens)-1 {
			with = ""
		}
		tokens[i] = strings.ReplaceAll(t, d.Suffix, with)
	}
	return tokens
}

// ctc is for models of speech: a token that repeats is one, and padding is silence.
type ctc struct {
	Pad       string `json:"pad_token"`
	Delimiter string `json:"word_delimiter_token"`
	Cleanup   bool   `json:"cleanup"`
}

func readCTC(raw json.RawMessage, role string) (decoder, error) {
	d := ctc{"<pad>", "|", true}
	err := fields(raw, role, "CTC", &d)
	return d, err
}

func (ctc) growth() growth { return sameLength }

func (d ctc) decode(tokens []string) []string {
	out, last := tokens[:0], ""
	for i, t := range tokens {
		if i > 0 && t == last {
			continue
		}
		last = t
		if d.Pad != "" {
			t = strings.ReplaceAll(t, d.Pad, "")
		}
		if d.Cleanup {
			t = tidy.Replace(t)
			if d.Delimiter != "" {
				t = strings.ReplaceAll(t, d.Delimiter, " ")
			}
		}
		if t != "" {
			out = append(out, t)
		}
	}
	return out
}
