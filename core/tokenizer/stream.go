package tokenizer

import "strings"

// Stream decodes ids one after the other, as generation makes them, and gives out text as soon as its characters are whole.
// The pieces together are what Decode gives of all ids, but where bytes are no UTF-8: there the ByteFallback decoder takes back
// the whole characters before them too, which were given out by then.
type Stream struct {
	t    *Tokenizer
	skip bool
	// ids[:given] made the text that was given out last. They stay, because decoders look at the token before.
	ids   []int32
	given int
}

// maxHeld bounds the tokens that are held back: so many that are no character yet will not become one.
const maxHeld = 64

// NewStream begins a text; with skipSpecial special tokens are left out of it.
func (t *Tokenizer) NewStream(skipSpecial bool) *Stream { return &Stream{t: t, skip: skipSpecial} }

// Push takes the next id and gives the text that is certain now, which may be empty.
func (s *Stream) Push(id int32) string {
	if _, ok := s.t.tokens[id]; !ok || s.skip && s.t.added.special[id] {
		return ""
	}
	s.ids = append(s.ids, id)
	text := s.fresh()
	if strings.HasSuffix(text, "\uFFFD") && len(s.ids)-s.given <= maxHeld {
		return "" // perhaps the beginning of a character
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

// fresh is the text of the ids that are not given out, as it stands behind those that are.
func (s *Stream) fresh() string {
	if s.given == len(s.ids) {
		return ""
	}
	before, all := s.t.Decode(s.ids[:s.given], false), s.t.Decode(s.ids, false)
	if text, ok := strings.CutPrefix(all, before); ok {
		return text
	}
	return s.t.Decode(s.ids[s.given:], false)
}

func (s *Stream) give() {
	if s.given < len(s.ids) {
		s.ids = append(s.ids[:0], s.ids[s.given:]...)
		s.given = len(s.ids)
	}
}
