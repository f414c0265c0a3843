package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// charsmap is SentencePiece's precompiled table of replacements (the part "Precompiled"): at each place the longest key
// that stands there is exchanged. The keys are a double-array trie in the layout of the library darts-clone, the
// replacements are texts that end in a zero byte.
//
// SentencePiece's own reading is followed. The tokenizers crate cuts the text into graphemes first, which differs for a
// key followed by a combining mark.
type charsmap struct {
	units  []uint32
	texts  string
	factor float64
}

const maxKey = 64 // bytes; Unicode's own have some twelve. The trie of a hostile file could run in circles.

func readCharsmap(raw json.RawMessage, role string) (normalizer, error) {
	var f struct {
		Map string `json:"precompiled_charsmap"`
	}
	if err := fields(raw, role, "Precompiled", &f); err != nil {
		return nil, err
	}
	blob, err := base64.StdEncoding.DecodeString(f.Map)
	if err != nil {
		return nil, fmt.Errorf("%s Precompiled: precompiled_charsmap: %w", role, err)
	}
	if len(blob) == 0 {
		return normalizers(nil), nil
	}
	c, err := newCharsmap(blob)
	if err != nil {
		return nil, fmt.Errorf("%s Precompiled: %w", role, err)
	}
	return c, nil
}

func newCharsmap(blob []byte) (*charsmap, error) {
	if len(blob) < 4 {
		return nil, errors.New("the charsmap ends in its header")
	}
	size := binary.LittleEndian.Uint32(blob)
	blob = blob[4:]
	if uint64(size) > uint64(len(blob)) || size%4 != 0 || size == 0 {
		return nil, fmt.Errorf("the charsmap says that its trie has %d bytes, of %d", size, len(blob))
	}
	c := &charsmap{units: make([]uint32, size/4), texts: string(blob[size:]), factor: 1}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(blob[4*i:])
	}
	if !utf8.ValidString(c.texts) {
		return nil, errors.New("the charsmap has replacements that are not valid UTF-8")
	}
	// The longest replacement could stand for one byte.
	for rest := c.texts; rest != ""; {
		text, after, _ := strings.Cut(rest, "\x00")
		c.factor = max(c.factor, float64(len(text)))
		rest = after
	}
	return c, nil
}

// lookup finds the longest key in front of text; a file's numbers lead nowhere but into the table.
func (c *charsmap) lookup(text string) (replacement string, length int) {
	offset := func(unit uint32) uint32 { return unit >> 10 << ((unit >> 9 & 1) * 8) }
	pos := offset(c.units[0])
	value := -1
	for i := range min(len(text), maxKey) {
		b := uint32(text[i])
		pos ^= b
		if b == 0 || pos >= uint32(len(c.units)) {
			break
		}
		unit := c.units[pos]
		if unit&(1<<31|0xFF) != b {
			break
		}
		pos ^= offset(unit)
		if unit>>8&1 != 0 && pos < uint32(len(c.units)) {
			value, length = int(c.units[pos]&(1<<31-1)), i+1
		}
	}
	if length == 0 || value > len(c.texts) {
		return "", 0
	}
	replacement, _, _ = strings.Cut(c.texts[value:], "\x00")
	return replacement, length
}

func (c *charsmap) normalize(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); {
		if replacement, n := c.lookup(text[i:]); n > 0 {
			b.WriteString(replacement)
			i += n
			continue
		}
		r, w := utf8.DecodeRuneInString(text[i:])
		b.WriteRune(r)
		i += w
	}
	return b.String()
}

func (c *charsmap) growth() growth { return growth{max(3, c.factor), 0} } // a stray byte becomes U+FFFD
