package data

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A text is tokenised in parts of about this size, so that a long one never lies in memory twice. Tokens do not cross the border
// of two parts, which is the end of a line.
const textPart = 1 << 20

// text reads a .txt file for pre-training: one begin token, the text, one end token, cut into blocks of MaxLength tokens,
// everything supervised. The last block may be shorter.
func (l *loading) text(ctx context.Context, in input) error {
	fail := func(line int, format string, args ...any) error {
		return &Error{File: in.Name, Line: line, What: fmt.Sprintf(format, args...)}
	}
	tok := l.opt.Tokenizer
	if tok == nil {
		return fail(0, "a text needs a tokenizer, and there is none")
	}
	if l.opt.MaxLength < 2 {
		return fail(0, "a text is cut into blocks of the maximum length; set one of at least 2 tokens (max_length)")
	}
	if in.times != nil {
		return fail(0, "a text has no rows to take a sample of; convert it to JSONL with a text a line, or take the sample's settings out")
	}
	var pending []int32
	if tok.BOS >= 0 {
		pending = append(pending, tok.BOS)
	}
	block := 0
	emit := func(all bool) error {
		at := 0
		for len(pending)-at >= l.opt.MaxLength || all && len(pending) > at {
			n := min(len(pending)-at, l.opt.MaxLength)
			ids := pending[at : at+n]
			if err := l.checkIDs(ids, nil); err != nil {
				return fail(0, "%v; do tokenizer and model belong together?", err)
			}
			at += n
			block++
			l.add(Example{ids, ids, in.Name, block, in.source, 1})
		}
		pending = append(pending[:0], pending[at:]...)
		return nil
	}
	some := false
	type tokens struct {
		ids   []int32
		bytes int
	}
	err := inOrder(ctx, func(send func(string) error) error { return textParts(in.Source, l.opt.MaxRow, send) },
		func(part string) tokens { return tokens{tok.EncodeText(part), len(part)} },
		func(t tokens) error {
			some = some || len(t.ids) > 0
			pending = append(pending, t.ids...)
			l.advance(int64(t.bytes), 0)
			return emit(false)
		})
	if err != nil {
		return err
	}
	if !some {
		return fail(0, "the file has no text")
	}
	if tok.EOS >= 0 {
		pending = append(pending, tok.EOS)
	}
	return emit(true)
}

// textParts cuts a text at line ends. Parts of nothing but white space at the ends of a file without any text are not sent.
func textParts(src Source, maxRow int, send func(string) error) error {
	s := newScanner(src.Reader, src.Name, maxRow)
	if err := s.start(); err != nil {
		return err
	}
	var part strings.Builder
	some := false
	for line := 1; ; {
		piece, err := s.r.ReadString('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", src.Name, err)
		}
		if !utf8.ValidString(piece) {
			return &Error{File: src.Name, Line: line, What: "the line is not valid UTF-8" + otherEncoding([]byte(piece))}
		}
		line++
		part.WriteString(piece)
		some = some || strings.TrimSpace(piece) != ""
		if some && (part.Len() >= textPart || err == io.EOF) {
			if sent := send(part.String()); sent != nil {
				return sent
			}
			part.Reset()
		}
		if err == io.EOF {
			return nil
		}
	}
}
