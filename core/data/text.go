package data

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A text is tokenised in parts of about this size, so that a long one never lies in memory twice. Tokens do not cross the border
// of two parts, which is the end of a line.
const textPart = 1 << 20

// text reads a .txt file for pre-training: one begin token, the text, one end token, cut into blocks of MaxLength tokens,
// everything supervised. The last block may be shorter.
func (l *rowLoader) text(src Source) error {
	fail := func(line int, format string, args ...any) error {
		return &Error{File: src.Name, Line: line, What: fmt.Sprintf(format, args...)}
	}
	tok := l.opt.Tokenizer
	if tok == nil {
		return fail(0, "a text needs a tokenizer, and there is none")
	}
	if l.opt.MaxLength < 2 {
		return fail(0, "a text is cut into blocks of the maximum length; set one of at least 2 tokens (max_length)")
	}
	s := newScanner(src.Reader, src.Name, l.opt.MaxRow)
	if err := s.start(); err != nil {
		return err
	}
	var pending []int32
	block := 0
	emit := func(all bool) error {
		for len(pending) >= l.opt.MaxLength || all && len(pending) > 0 {
			n := min(len(pending), l.opt.MaxLength)
			ids := slices.Clone(pending[:n])
			if err := l.checkIDs(ids, nil); err != nil {
				return fail(0, "%v; do tokenizer and model belong together?", err)
			}
			pending = pending[n:]
			block++
			l.add(Example{ids, slices.Clone(ids), src.Name, block})
		}
		pending = slices.Clone(pending) // lets go of what is given out
		return nil
	}
	if tok.BOS >= 0 {
		pending = append(pending, tok.BOS)
	}
	var part strings.Builder
	some := false
	for line := 1; ; {
		piece, err := s.r.ReadString('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", src.Name, err)
		}
		if !utf8.ValidString(piece) {
			return fail(line, "the line is not valid UTF-8; save the file as UTF-8")
		}
		line++
		part.WriteString(piece)
		some = some || strings.TrimSpace(piece) != ""
		if part.Len() >= textPart || err == io.EOF {
			pending = append(pending, tok.EncodeText(part.String())...)
			part.Reset()
			if err := emit(false); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
	}
	if !some {
		return fail(0, "the file has no text")
	}
	if tok.EOS >= 0 {
		pending = append(pending, tok.EOS)
	}
	return emit(true)
}
