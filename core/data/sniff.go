package data

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// signatures are the first bytes of files that are no text of ours.
var signatures = []struct{ begin, what string }{
	{"version https://git-lfs", "this is a Git LFS pointer, not the data; fetch the file with git lfs pull"},
	{"PAR1", "this is a Parquet file under another name; call it .parquet"},
	{"ARROW1", "this is an Arrow file, which is not read yet; convert it to JSONL"},
	{"PK\x03\x04", "this is a ZIP archive (or an Excel sheet); unpack it, or save the sheet as JSONL"},
	{"\x1F\x8B", "this is a gzip archive; unpack it: gzip -d"},
	{"\x28\xB5\x2F\xFD", "this is a Zstandard archive; unpack it: zstd -d"},
	{"%PDF", "this is a PDF file; expected JSON, JSONL or text"},
	{"<!doctype", "this is a web page, not the data; was it downloaded from the page that shows the file?"},
	{"<html", "this is a web page, not the data; was it downloaded from the page that shows the file?"},
	{"\xFF\xFE\x00\x00", "the file is UTF-32; save it as UTF-8"},
	{"\xFF\xFE", "the file is UTF-16; save it as UTF-8: iconv -f UTF-16 -t UTF-8"},
	{"\xFE\xFF", "the file is UTF-16; save it as UTF-8: iconv -f UTF-16 -t UTF-8"},
}

// start skips a byte order mark and recognises files that are no text of ours.
func (s *scanner) start() error {
	head, _ := s.r.Peek(24)
	if bytes.HasPrefix(head, []byte("\xEF\xBB\xBF")) {
		_, err := s.r.Discard(3)
		return err
	}
	for _, g := range signatures {
		if len(head) >= len(g.begin) && strings.EqualFold(string(head[:len(g.begin)]), g.begin) {
			return s.fail(s.here(), "%s", g.what)
		}
	}
	if len(head) > 1 && (head[0] == 0 && letter(head[1]) || head[1] == 0 && letter(head[0])) {
		return s.fail(s.here(), "every other byte is 0: the file is UTF-16 without a mark; save it as UTF-8: iconv -f UTF-16LE -t UTF-8 (or UTF-16BE)")
	}
	return nil
}

func letter(b byte) bool { return b >= ' ' && b < 0x7F || b == '\t' || b == '\r' || b == '\n' }

// neither explains a file that begins with something else than an array or an object.
func (s *scanner) neither() error {
	at := s.here()
	raw, err := io.ReadAll(io.LimitReader(s.r, int64(s.maxRow)))
	if err != nil {
		return fmt.Errorf("%s: %w", s.file, err)
	}
	if utf8.Valid(raw) && json.Valid(raw) {
		return &Error{File: s.file, Line: at.line, Column: at.column, Shape: true, What: "the file holds " + kindName(raw) + "; " + wanted}
	}
	if cells := table(s.file, raw); cells != nil {
		what := "this is a table (CSV) with the columns " + quoteAll(cells)
		if !utf8.Valid(raw) {
			what += otherEncoding(raw)
		}
		return s.fail(at, "%s; call it .csv, and its rows are read", what)
	}
	return s.fail(at, "this is no JSON; %s", wanted)
}

// table gives the names in the first line of a file that seems to have columns, else nil.
func table(name string, raw []byte) []string {
	line, rest, _ := bytes.Cut(raw, []byte{'\n'})
	ext := strings.ToLower(filepath.Ext(name))
	for _, sep := range []string{"\t", ",", ";", "|"} {
		n := bytes.Count(line, []byte(sep))
		// A file of another name needs a second line that looks the same.
		second, _, _ := bytes.Cut(rest, []byte{'\n'})
		if n == 0 || ext != ".csv" && ext != ".tsv" && bytes.Count(second, []byte(sep)) < n {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(string(line), sep) {
			cell = strings.Trim(strings.TrimSpace(cell), `"`)
			cells = append(cells, strings.ToValidUTF8(cell, "\uFFFD"))
		}
		return cells
	}
	return nil
}

// otherEncoding guesses which encoding bytes that are no UTF-8 have, as the end of a sentence. Text in GBK and GB18030 has
// common characters as pairs of bytes from A1 on. It must not be UTF-8 with a fault somewhere: there good characters outnumber
// the bad bytes, while in GBK those of two bytes come about by chance and longer ones hardly ever.
func otherEncoding(raw []byte) string {
	raw = raw[:min(len(raw), 1<<16)]
	two, more, bad, pairs, others := 0, 0, 0, 0, 0
	for i := 0; i < len(raw); {
		r, w := utf8.DecodeRune(raw[i:])
		switch {
		case r == utf8.RuneError && w == 1:
			bad++
		case w == 2:
			two++
		case w > 2:
			more++
		}
		i += w
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] < 0x80 {
			continue
		}
		if i+1 < len(raw) && raw[i] >= 0xA1 && raw[i+1] >= 0xA1 {
			pairs++
		} else {
			others++
		}
		i++
	}
	switch {
	case bad > more && 8*bad > two && pairs > 0 && pairs >= 4*others:
		return "; the file looks like GB18030 (GBK, GB2312): convert it with iconv -f GB18030 -t UTF-8"
	case bad <= two+more:
		return "; a single character is damaged"
	}
	return "; save the file as UTF-8"
}
