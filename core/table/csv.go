package table

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/transform"
)

// separators are what may stand between fields, the likelier one first.
var separators = []rune{',', '\t', ';', '|'}

// readCSV reads RFC 4180 with any of the separators and encodings: the first record names the columns.
func readCSV(name string, r io.ReaderAt, size int64, out *writer, o Options, res *Result) error {
	enc, err := encodingOf(name, r, size, o.Encoding)
	if err != nil {
		return err
	}
	res.Encoding = enc.name
	text := func() io.Reader {
		return transform.NewReader(io.NewSectionReader(r, enc.mark, size-enc.mark), enc.encoding.NewDecoder())
	}
	sep := o.Separator
	if sep == 0 {
		sep = separatorOf(text())
	}
	limited := &limiter{r: text()}
	c := csv.NewReader(bufio.NewReader(limited))
	c.Comma, c.FieldsPerRecord, c.ReuseRecord = sep, -1, true
	c.LazyQuotes = true // as other readers do, a quote inside of a field that has none around it is text
	open := 0           // the line of the last record if its last field has lines in it
	for {
		limited.left = maxRow
		record, err := c.Read()
		line := 0
		if len(record) > 0 {
			line, _ = c.FieldPos(0)
		}
		fail := func(format string, args ...any) error {
			row := out.rows + 1
			if res.Columns == nil {
				row = 0
			}
			return &Error{name, row, line, fmt.Sprintf(format, args...)}
		}
		var syntax *csv.ParseError
		switch {
		case err == io.EOF:
			if res.Columns == nil {
				return &Error{File: name, What: "the file has no line that names its columns"}
			}
			if open > 0 && limited.last != '"' {
				return &Error{name, out.rows, open, "its last field goes on to the end of the file over several lines; is a quote left open?"}
			}
			return nil
		case errors.Is(err, errLong):
			return fail("the row is longer than %d bytes; is a quote left open?", maxRow)
		case errors.As(err, &syntax):
			line = syntax.StartLine
			return fail("%v; a field that has quotes in it is written \"like \"\"this\"\"\"", syntax.Err)
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		case res.Columns == nil:
			if res.Columns, err = columnsOf(record); err != nil {
				return fail("%v", err)
			}
			continue
		case len(record) != len(res.Columns):
			return fail("it has %d fields, and the header names %d columns (%s); a field with %s in it is put in quotes, and a quote that begins a field has to end it", len(record), len(res.Columns), strings.Join(res.Columns, ", "), separatorName(sep))
		}
		if open = 0; strings.ContainsRune(record[len(record)-1], '\n') {
			open = line
		}
		for i, cell := range record {
			if strings.ContainsRune(cell, '\uFFFD') && enc.name != "utf-8" {
				return fail("column %q has bytes that are not %s; name the encoding of the file", res.Columns[i], enc.name)
			}
		}
		out.done = c.InputOffset()
		if err := out.row(res.Columns, func(i int) any { return record[i] }); err != nil {
			return fail("%v", err)
		}
	}
}

// columnsOf takes the names of the columns. A column without a name gets one.
func columnsOf(record []string) ([]string, error) {
	names, seen := make([]string, len(record)), map[string]int{}
	for i, n := range record {
		if n = strings.TrimSpace(n); n == "" {
			n = fmt.Sprintf("column_%d", i+1)
		}
		if before, ok := seen[n]; ok {
			return nil, fmt.Errorf("columns %d and %d are both called %q; give one another name", before+1, i+1, n)
		}
		seen[n], names[i] = i, n
	}
	return names, nil
}

// separatorOf looks at the first records: the separator is the one that cuts them into equally many fields, most of them.
func separatorOf(r io.Reader) rune {
	const lines, looked = 20, 64 << 10
	head, _ := io.ReadAll(io.LimitReader(r, looked))
	best, most := separators[0], 1
	for _, sep := range separators {
		c := csv.NewReader(strings.NewReader(string(head)))
		c.Comma, c.FieldsPerRecord, c.LazyQuotes = sep, -1, true
		fields := 0
		for range lines {
			record, err := c.Read()
			if err != nil {
				break
			}
			if fields > 0 && len(record) != fields && (c.InputOffset() < int64(len(head)) || len(head) < looked) {
				fields = 1 // uneven: it is not this one
				break
			}
			fields = max(fields, len(record))
		}
		if fields > most {
			best, most = sep, fields
		}
	}
	return best
}

func separatorName(sep rune) string {
	switch sep {
	case ',':
		return "a comma"
	case '\t':
		return "a tab"
	case ';':
		return "a semicolon"
	}
	return fmt.Sprintf("a %q", sep)
}

var errLong = errors.New("the row is too long")

// limiter ends a row that does not end by itself.
type limiter struct {
	r    io.Reader
	left int
	last byte // that is no white space
}

func (l *limiter) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errLong
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	if t := bytes.TrimRight(p[:n], " \t\r\n"); len(t) > 0 {
		l.last = t[len(t)-1]
	}
	return n, err
}
