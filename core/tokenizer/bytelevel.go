package tokenizer

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// byteLevel writes every byte of a word as one printable character, so that a vocabulary of characters covers all bytes
// (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019; the table is GPT-2's bytes_to_unicode).
type byteLevel struct {
	prefixSpace, regex bool
	raw                bool // words stay bytes: the model behind reads them as the characters they stand for
}

// byteRunes are the characters of all bytes: printable ones stand for themselves, the others are those from U+0100 on, in order.
var byteRunes = func() (table [256]rune) {
	next := rune(0x100)
	for b := range table {
		if r := rune(b); r >= '!' && r <= '~' || r >= 0xA1 && r <= 0xAC || r >= 0xAE {
			table[b] = r
		} else {
			table[b], next = next, next+1
		}
	}
	return table
}()

// What follows is made when it is first needed: a page starts sooner.
var (
	runeBytes = sync.OnceValue(func() map[rune]byte {
		bytes := map[rune]byte{}
		for b, r := range byteRunes {
			bytes[r] = byte(b)
		}
		return bytes
	})
	gpt2 = sync.OnceValue(func() *pattern { return mustCompile(gpt2Pattern) })
)

func (l byteLevel) split(text string, first bool, yield func(string, bool)) {
	give := yield
	if !l.raw {
		give = func(word string, first bool) { yield(writeBytes(word), first) }
	}
	if l.prefixSpace && !strings.HasPrefix(text, " ") {
		text = " " + text
	}
	if !l.regex {
		give(text, first)
		return
	}
	splitter{gpt2().find, "Isolated", false}.split(text, first, give)
}

func (l byteLevel) growth() growth { return growth{1, 1}.then(growth{2, 0}) } // a space in front; each byte becomes up to two

func writeBytes(text string) string {
	var b strings.Builder
	b.Grow(len(text) + len(text)/4)
	for i := range len(text) {
		b.WriteRune(byteRunes[text[i]])
	}
	return b.String()
}

// byteLevelDecoder reads the characters back as bytes; a token with any other character is taken as it is written.
type byteLevelDecoder struct{}

func (byteLevelDecoder) growth() growth { return growth{3, 0} } // a stray byte becomes U+FFFD

func (byteLevelDecoder) decode(tokens []string) []string {
	var bytes []byte
	byteOf := runeBytes()
	for _, token := range tokens {
		start := len(bytes)
		for _, r := range token {
			b, ok := byteOf[r]
			if !ok {
				bytes = append(bytes[:start], token...)
				break
			}
			bytes = append(bytes, b)
		}
	}
	return []string{lossy(bytes)}
}

// lossy reads bytes as UTF-8 and puts one U+FFFD for every longest stretch that begins a character but does not end it
// (Unicode Standard, section 3.9, "substitution of maximal subparts"), as Rust's from_utf8_lossy does.
func lossy(p []byte) string {
	if utf8.Valid(p) {
		return string(p)
	}
	var b strings.Builder
	for i := 0; i < len(p); {
		r, w := utf8.DecodeRune(p[i:])
		if r == utf8.RuneError && w == 1 {
			w = subpart(p[i:])
		}
		b.WriteRune(r)
		i += w
	}
	return b.String()
}

// subpart is the length of the broken character at the front of p, at least 1.
func subpart(p []byte) int {
	low, high, need := byte(0x80), byte(0xBF), 0
	switch c := p[0]; {
	case c >= 0xC2 && c <= 0xDF:
		need = 1
	case c >= 0xE0 && c <= 0xEF:
		need = 2
		if c == 0xE0 {
			low = 0xA0
		} else if c == 0xED {
			high = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		need = 3
		if c == 0xF0 {
			low = 0x90
		} else if c == 0xF4 {
			high = 0x8F
		}
	}
	n := 1
	for n <= need && n < len(p) && p[n] >= low && p[n] <= high {
		low, high = 0x80, 0xBF
		n++
	}
	return n
}
