package tokenizer

import (
	"slices"
	"strings"
	"testing"
)

func TestEncodeMixed(t *testing.T) {
	trained, err := Train(slices.Values([]string{"user says end im start a b <|im_end|> more </s> text"}), TrainOptions{VocabSize: 300})
	if err != nil {
		t.Fatal(err)
	}
	base, err := trained.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	tok := *base
	special := func(id int32, content string, normalized, special bool) addedToken {
		return addedToken{ID: id, Content: content, Normalized: normalized, Special: special}
	}
	tok.added, err = newAddedTokens([]addedToken{special(900, "<|im_end|>", false, true), special(901, "<|im_end|>>", false, true),
		special(902, "<norm>", true, true), special(903, "<think>", false, false)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) []int32 { return tok.EncodeText(s) }
	cat := func(parts ...[]int32) []int32 { return slices.Concat(parts...) }
	for _, c := range []struct {
		text string // what stands in «» is letters
		want []int32
	}{
		{"a<|im_end|>b", cat(text("a"), []int32{900}, text("b"))},
		{"a«<|im_end|>»b", text("a<|im_end|>b")},
		{"«a<|im_»end|>b", text("a<|im_end|>b")},
		{"a<|im_end«|>b»", text("a<|im_end|>b")},
		{"«<|im_end|>»<|im_end|>«<|im_end|>»", cat(text("<|im_end|>"), []int32{900}, text("<|im_end|>"))},
		{"<|im_end|>>", []int32{901}},
		{"<|im_end|>«>a»", cat([]int32{900}, text(">a"))},
		{"«<»<|im_end|>", cat(text("<"), []int32{900})},
		{"<norm>«<norm>»", cat([]int32{902}, text("<norm>"))},
		{"<think>«<think>»", []int32{903, 903}}, // no special token: a user may write it
		{"a «b»", text("a b")},
		{"", nil},
		{"«<|im_end|>»", text("<|im_end|>")},
	} {
		var letters []Span
		var b strings.Builder
		for i, part := range strings.FieldsFunc(c.text, func(r rune) bool { return r == '«' || r == '»' }) {
			if odd := i%2 == 1; odd != strings.HasPrefix(c.text, "«") {
				letters = append(letters, Span{b.Len(), b.Len() + len(part)})
			}
			b.WriteString(part)
		}
		if got := tok.EncodeMixed(b.String(), letters); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.text, got, c.want)
		}
	}
}
