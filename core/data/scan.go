package data

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Error says what is wrong with a data file and where. Row and Line count from 1; 0 means that the place is not in a row.
type Error struct {
	File      string
	Row, Line int
	Column    int  // byte of the line, from 1; 0 where only the row is known
	Shape     bool // the JSON is valid, but not what a row must be
	What      string
}

func (e *Error) Error() string {
	where := e.File + ":"
	if e.Row > 0 {
		where += fmt.Sprintf(" row %d", e.Row)
	}
	switch {
	case e.Line > 0 && e.Column > 0:
		where += fmt.Sprintf(" (line %d, column %d)", e.Line, e.Column)
	case e.Line > 0:
		where += fmt.Sprintf(" (line %d)", e.Line)
	}
	if e.Row > 0 || e.Line > 0 {
		where += ":"
	}
	return where + " " + e.What
}

const (
	defaultMaxRow = 16 << 20
	maxDepth      = 64 // nesting of arrays and objects in a row; the formats need four levels
)

const wanted = "expected a JSON array of objects, or JSONL with an object on every line"

// scanner cuts a file into rows while it streams: only one row is in memory at a time.
type scanner struct {
	r      *bufio.Reader
	file   string
	maxRow int
	line   int // of the next byte
	column int
	row    int // that is being read
	buf    []byte
}

// position is where a row's first byte stands.
type position struct{ line, column int }

func newScanner(r io.Reader, file string, maxRow int) *scanner {
	if maxRow <= 0 {
		maxRow = defaultMaxRow
	}
	return &scanner{r: bufio.NewReaderSize(r, 64<<10), file: file, maxRow: maxRow, line: 1, column: 1}
}

// fail makes an error at a place.
func (s *scanner) fail(at position, format string, args ...any) error {
	return &Error{File: s.file, Row: s.row, Line: at.line, Column: at.column, What: fmt.Sprintf(format, args...)}
}

func (s *scanner) here() position { return position{s.line, s.column} }

// next reads one byte; false at the end of the file.
func (s *scanner) next() (byte, bool, error) {
	b, err := s.r.ReadByte()
	if err == io.EOF {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", s.file, err)
	}
	if b == '\n' {
		s.line, s.column = s.line+1, 1
	} else {
		s.column++
	}
	return b, true, nil
}

// peek skips white space and looks at the byte behind it; 0 and false at the end.
func (s *scanner) peek() (byte, bool, error) {
	for {
		p, err := s.r.Peek(1)
		if err == io.EOF {
			return 0, false, nil
		}
		if err != nil {
			return 0, false, fmt.Errorf("%s: %w", s.file, err)
		}
		switch p[0] {
		case ' ', '\t', '\r', '\n':
			if _, _, err := s.next(); err != nil {
				return 0, false, err
			}
		default:
			return p[0], true, nil
		}
	}
}

// rows calls yield with every row of a JSON or JSONL file; which of them it is shows in the first byte. Only the extent of a
// row is known: check looks at its syntax. It is valid only during the call.
func (s *scanner) rows(yield func(row int, at position, raw []byte) error) error {
	if err := s.start(); err != nil {
		return err
	}
	first, ok, err := s.peek()
	switch {
	case err != nil:
		return err
	case !ok:
		return &Error{File: s.file, What: "the file has no rows; " + wanted}
	case first == '[':
		err = s.array(yield)
	case first == '{':
		err = s.lines(yield)
	default:
		return s.neither()
	}
	if err == nil && s.row == 0 {
		return &Error{File: s.file, Shape: true, What: "the array has no rows"}
	}
	return err
}

// array reads the elements of one array.
func (s *scanner) array(yield func(int, position, []byte) error) error {
	s.next() // the bracket
	for {
		c, ok, err := s.peek()
		if err != nil {
			return err
		}
		if ok && c == ']' && s.row == 0 {
			break
		}
		s.row++
		at := s.here()
		if !ok {
			return s.fail(at, "the file ends inside the array; is it cut off? expected a row or ]")
		}
		if err := s.value(at, c); err != nil {
			return err
		}
		if err := yield(s.row, at, s.buf); err != nil {
			return err
		}
		c, ok, err = s.peek()
		switch {
		case err != nil:
			return err
		case !ok:
			return s.fail(s.here(), "the file ends inside the array; is it cut off? expected , or ]")
		case c == ',':
			s.next()
			continue
		case c != ']':
			return s.fail(s.here(), "%q stands between rows; expected , or ]", c)
		}
		break
	}
	s.next() // the closing bracket
	if c, ok, err := s.peek(); err != nil {
		return err
	} else if ok {
		at := s.here()
		return &Error{File: s.file, Line: at.line, Column: at.column, What: fmt.Sprintf(
			"%q stands behind the array's closing ]; a file has one array (were two files put together? join their arrays with a comma)", c)}
	}
	return nil
}

// value reads one element of an array into buf. Only its extent is found here; check looks at its syntax.
func (s *scanner) value(at position, first byte) error {
	s.buf = s.buf[:0]
	depth, inString := 0, false
	for {
		// An element that is no object or array ends where the array goes on.
		if depth == 0 && !inString && len(s.buf) > 0 {
			if first == '{' || first == '[' || first == '"' {
				return nil
			}
			p, err := s.r.Peek(1)
			if err == nil && bytes.IndexByte([]byte(", ]\t\r\n"), p[0]) >= 0 {
				return nil
			}
		}
		b, ok, err := s.next()
		if err != nil {
			return err
		}
		if !ok {
			if depth == 0 && !inString {
				return nil
			}
			return s.fail(at, "the file ends inside this row; is it cut off?")
		}
		if len(s.buf) >= s.maxRow {
			return s.fail(at, "the row is longer than %d bytes", s.maxRow)
		}
		s.buf = append(s.buf, b)
		switch {
		case inString && b == '\\':
			b, ok, err := s.next()
			if err != nil {
				return err
			}
			if ok {
				s.buf = append(s.buf, b)
			}
		case b == '"':
			inString = !inString
		case inString:
		case b == '{' || b == '[':
			if depth++; depth > maxDepth {
				return s.fail(at, "arrays and objects are nested deeper than %d levels", maxDepth)
			}
		case b == '}' || b == ']':
			depth--
		}
	}
}

// lines reads an object from every line; empty lines are passed over.
func (s *scanner) lines(yield func(int, position, []byte) error) error {
	for {
		at := s.here()
		s.buf = s.buf[:0]
		ended := false
		for !ended {
			part, err := s.r.ReadSlice('\n')
			if len(s.buf)+len(part) > s.maxRow+2 {
				s.row++
				return s.fail(at, "the line is longer than %d bytes", s.maxRow)
			}
			s.buf = append(s.buf, part...)
			switch {
			case err == io.EOF && len(s.buf) == 0:
				return nil
			case err == nil || err == io.EOF:
				ended = true
			case !errors.Is(err, bufio.ErrBufferFull):
				return fmt.Errorf("%s: %w", s.file, err)
			}
		}
		s.line, s.column = s.line+1, 1
		if len(bytes.TrimLeft(s.buf, " \t\r\n")) == 0 {
			continue
		}
		s.row++
		if s.row == 1 {
			if err := check(s.file, s.row, at, s.buf); err != nil {
				if s.spread() {
					return &Error{File: s.file, Line: at.line, Column: at.column, Shape: true, What: "the file holds one object over several lines; " + wanted}
				}
				return err
			}
		}
		if err := yield(s.row, at, s.buf); err != nil {
			return err
		}
	}
}

// spread reports whether a first line that is no JSON begins an object that the rest of the file completes.
func (s *scanner) spread() bool {
	rest, err := io.ReadAll(io.LimitReader(s.r, int64(s.maxRow)))
	whole := append(s.buf, rest...)
	return err == nil && len(rest) > 0 && utf8.Valid(whole) && json.Valid(whole)
}

// check makes sure that a row is UTF-8 and JSON of a bearable depth, and an object.
func check(file string, row int, at position, raw []byte) error {
	fail := func(i int, format string, args ...any) error {
		at := locate(at, raw, i)
		return &Error{File: file, Row: row, Line: at.line, Column: at.column, What: fmt.Sprintf(format, args...)}
	}
	if !utf8.Valid(raw) {
		i := 0
		for i < len(raw) {
			r, w := utf8.DecodeRune(raw[i:])
			if r == utf8.RuneError && w == 1 {
				break
			}
			i += w
		}
		return fail(i, "byte 0x%02X is not valid UTF-8%s", raw[i], otherEncoding(raw))
	}
	depth, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == 0:
			return fail(i, "a byte of value 0 stands in the row; the file is damaged, or no text")
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fail(i, "arrays and objects are nested deeper than %d levels", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	if !json.Valid(raw) {
		var any json.RawMessage
		err := json.Unmarshal(raw, &any)
		var syntax *json.SyntaxError
		if !errors.As(err, &syntax) {
			return fail(0, "%v", err)
		}
		hint := ""
		if depth > 0 {
			hint = "; the row does not end here (in JSONL every row is on one line; rows over several lines need an array around them)"
		}
		return fail(max(0, min(int(syntax.Offset)-1, len(raw)-1)), "invalid JSON: %v%s", err, hint)
	}
	if raw = bytes.TrimLeft(raw, " \t\r\n"); raw[0] != '{' {
		return &Error{File: file, Row: row, Line: at.line, Column: at.column, Shape: true,
			What: "the row is " + kindName(raw) + "; expected an object {…}"}
	}
	return nil
}

// locate is the place of byte i of a row.
func locate(at position, raw []byte, i int) position {
	before := raw[:i]
	n := bytes.Count(before, []byte{'\n'})
	if n == 0 {
		return position{at.line, at.column + i}
	}
	return position{at.line + n, i - bytes.LastIndexByte(before, '\n')}
}

// kindName says what a valid JSON value is.
func kindName(raw []byte) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
