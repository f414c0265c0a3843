package tokenizer

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// streamed pushes ids one by one and gives the pieces.
func streamed(tok *Tokenizer, ids []int32, skip bool) (pieces []string) {
	s := tok.NewStream(skip)
	for _, id := range ids {
		pieces = append(pieces, s.Push(id))
	}
	return append(pieces, s.Flush())
}

func TestStream(t *testing.T) {
	own, err := trainBilingual(t, 340).Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	bytes := mustLoad(t, byteLevelFile())
	for name, tok := range map[string]*Tokenizer{"pieces": own, "bytes": bytes} {
		for _, text := range append(slices.Clone(bilingual), "", " ", "  x", "🚀🚀 é", "កាន់តែពិសេសអាច 我想", strings.Repeat("你", 100), "a\uFFFDb") {
			ids := tok.EncodeText(text)
			pieces := streamed(tok, ids, true)
			if got := strings.Join(pieces, ""); got != tok.Decode(ids, true) {
				t.Errorf("%s: %q came as %q, want %q", name, text, pieces, tok.Decode(ids, true))
			}
			for _, p := range pieces[:len(pieces)-1] {
				if !utf8.ValidString(p) || !strings.Contains(text, "\uFFFD") && strings.Contains(p, "\uFFFD") {
					t.Errorf("%s: %q gave out %q, which is no whole text", name, text, p)
				}
			}
		}
	}
	// A character comes when its last byte does, not before and not later.
	if got, want := streamed(bytes, []int32{'a', 0xE4, 0xBD, 0xA0, 'b', 0xE4}, true), []string{"a", "", "", "你", "b", "", "\uFFFD"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := streamed(own, []int32{1, 4 + 0xE4, 4 + 0xBD, 4 + 0xA0, 2, -7}, true), []string{"", "", "", "你", "", "", ""}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	// What never becomes text is given out all the same.
	endless := streamed(bytes, slices.Repeat([]int32{0xFF}, 1000), true)
	if got := strings.Join(endless, ""); got != strings.Repeat("\uFFFD", 1000) {
		t.Errorf("%d characters of 1000", utf8.RuneCountInString(got))
	}
	if endless[maxHeld] == "" {
		t.Errorf("%d broken bytes are still held back", maxHeld+1)
	}
}
