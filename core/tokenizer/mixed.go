package tokenizer

import "slices"

// Span is the bytes [From, To) of a text.
type Span struct{ From, To int }

// EncodeMixed gives the ids of a text of which somebody trusted (a chat template) wrote all but the letters, spans in ascending order
// without overlap. A special token is recognised where each of its bytes is trusted; one that lies in letters, or that letters complete, is
// text. Otherwise the text is encoded as a whole: letters and what stands around them may share a token.
func (t *Tokenizer) EncodeMixed(text string, letters []Span) []int32 {
	left := func(a *addedToken, from, to int) (bool, int) {
		if control, _ := t.control(a, from, to); !control {
			return false, 0
		}
		i, _ := slices.BinarySearchFunc(letters, from, func(s Span, at int) int { return s.To - at - 1 })
		if i == len(letters) || letters[i].From >= to {
			return false, 0
		}
		return true, letters[i].From // a shorter token may stand before the letters
	}
	return t.encode(text, t.added.marked, left, t.control)
}
