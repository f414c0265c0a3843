package tokenizer

import "strings"

// Stream decodes ids one after the other, as generation makes them, and gives out text as soon as no later id can change it.
// The pieces together are what Decode gives of all ids.
type Stream struct {
	t    *Tokenizer
	skip bool
	// ids[:given] are given out; the last few of them stay, because decoders look at the token before.
	ids   []int32
	given int
}

const (
	// maxHeld bounds the tokens that are held back. A sequence of that many bytes that is no text, or not yet, is given out
	// as it stands.
	maxHeld      = 64
	windowBehind = 4 // tokens kept of those that are given out
)

// NewStream begins a text; with skipSpecial special tokens are left out of it.
func (t *Tokenizer) NewStream(skipSpecial bool) *Stream { return &Stream{t: t, skip: skipSpecial} }

// Push takes the next id and gives the text that is certain now, which may be empty.
func (s *Stream) Push(id int32) string {
	token, ok := s.t.tokens[id]
	if !ok || s.skip && s.t.added.special[id] {
		return ""
	}
	s.ids = append(s.ids, id)
	if len(s.ids)-s.given <= maxHeld && s.t.open(token) {
		return "" // the bytes of a character may go on
	}
	text := s.fresh()
	if len(s.ids)-s.given <= maxHeld && strings.HasSuffix(text, "\uFFFD") {
		return ""
	}
	s.give()
	return text
}

// Flush gives the rest at the end of the text, broken characters as U+FFFD.
func (s *Stream) Flush() string {
	text := s.fresh()
	s.give()
	return text
}

// open tells whether a token is one byte of a run that ByteFallback reads as a whole.
func (t *Tokenizer) open(token string) bool {
	_, isByte := byteToken(token)
	return isByte && hasByteFallback(t.decoder)
}

func hasByteFallback(d decoder) bool {
	switch d := d.(type) {
	case byteFallback:
		return true
	case decoders:
		for _, inner := range d {
			if hasByteFallback(inner) {
				return true
			}
		}
	}
	return false
}

// fresh is the text of the ids that are not given out, as it stands behind those that are.
func (s *Stream) fresh() string {
	before, all := s.t.Decode(s.ids[:s.given], false), s.t.Decode(s.ids, false)
	common := 0
	for common < min(len(before), len(all)) && before[common] == all[common] {
		common++
	}
	return all[common:]
}

func (s *Stream) give() {
	s.ids = append(s.ids[:0], s.ids[max(0, len(s.ids)-windowBehind):]...)
	s.given = len(s.ids)
}
