// Package table turns files of columns, CSV and Parquet, into JSONL with an object a row, which is what package data reads. It
// weighs as much as the trainer itself, so the page loads it as a program of its own when somebody brings such a file.
package table

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
)

// Kind is a format of tables.
type Kind string

const (
	CSV     Kind = "csv" // with commas, semicolons, tabs or bars
	Parquet Kind = "parquet"
)

// Options are what a user may know better than the file shows.
type Options struct {
	Encoding  string // of a CSV file, one of Encodings; empty: it is found out
	Separator rune   // between the fields of a CSV file; 0: it is found out
	// Progress is called now and then. done and total are bytes of the file for CSV, rows for Parquet.
	Progress func(rows int, done, total int64)
}

// Result is what a file has.
type Result struct {
	Kind     Kind     `json:"kind"`
	Rows     int      `json:"rows"`
	Columns  []string `json:"columns"`
	Encoding string   `json:"encoding"` // of a CSV file
	Notes    []string `json:"notes"`    // what the user should know, in sentences
}

// KindOf tells by its name and its first bytes whether a file is a table; empty: it is none.
func KindOf(name string, head []byte) Kind {
	switch ext := strings.ToLower(path.Ext(name)); {
	case bytes.HasPrefix(head, []byte("PAR1")), ext == ".parquet":
		return Parquet
	case ext == ".csv", ext == ".tsv":
		return CSV
	}
	return ""
}

// Error says what is wrong with a table and where. Row counts the rows below the header from 1, Line the lines of the file;
// 0 is nowhere in particular.
type Error struct {
	File      string
	Row, Line int
	What      string
}

func (e *Error) Error() string {
	where := e.File + ":"
	switch {
	case e.Row > 0 && e.Line > 0:
		where += fmt.Sprintf(" row %d (line %d):", e.Row, e.Line)
	case e.Row > 0:
		where += fmt.Sprintf(" row %d:", e.Row)
	case e.Line > 0:
		where += fmt.Sprintf(" line %d:", e.Line)
	}
	return where + " " + e.What
}

// maxRow is what a row may take, in bytes, as in package data.
const maxRow = 16 << 20

// Convert writes a table as JSONL. Cells of CSV are strings; what Parquet has lists, structs and numbers for, JSON has too.
// Only a row, or a piece of a Parquet file, is in memory at a time. What was written before an error is good.
func Convert(ctx context.Context, name string, r io.ReaderAt, size int64, w io.Writer, o Options) (Result, error) {
	head := make([]byte, min(size, 16))
	if n, err := r.ReadAt(head, 0); err != nil && err != io.EOF || int64(n) < int64(len(head)) {
		return Result{}, fmt.Errorf("%s: %w", name, err)
	}
	out := &writer{w: bufio.NewWriterSize(w, 64<<10), ctx: ctx, progress: o.Progress, total: size}
	res := Result{Kind: KindOf(name, head)}
	var err error
	switch {
	case size == 0:
		err = &Error{File: name, What: "the file is empty"}
	case res.Kind == Parquet:
		err = readParquet(name, r, size, out, &res)
	case res.Kind == CSV:
		err = readCSV(name, r, size, out, o, &res)
	default:
		err = &Error{File: name, What: "this is neither CSV nor Parquet by its name or its first bytes"}
	}
	res.Rows = out.rows
	if flushErr := out.w.Flush(); err == nil && flushErr != nil {
		err = fmt.Errorf("%s: writing its rows: %w", name, flushErr)
	}
	if err == nil && out.rows == 0 {
		err = &Error{File: name, What: "the table has a header and no rows"}
	}
	return res, err
}

// writer writes rows as lines of JSON, the columns in their order.
type writer struct {
	w           *bufio.Writer
	ctx         context.Context
	line        []byte
	rows        int
	done, total int64
	progress    func(int, int64, int64)
	told        time.Time
}

// row writes one row: value gives the cell of a column, ready for JSON.
func (w *writer) row(columns []string, value func(i int) any) error {
	w.line = append(w.line[:0], '{')
	for i, c := range columns {
		if i > 0 {
			w.line = append(w.line, ',')
		}
		key, err := json.Marshal(c)
		if err != nil {
			return err
		}
		cell, err := json.Marshal(value(i))
		if err != nil {
			return fmt.Errorf("column %q: %w", c, err)
		}
		w.line = append(append(append(w.line, key...), ':'), cell...)
	}
	w.line = append(w.line, '}', '\n')
	if len(w.line) > maxRow {
		return fmt.Errorf("the row takes %d bytes; at most %d are read", len(w.line), maxRow)
	}
	if _, err := w.w.Write(w.line); err != nil {
		return fmt.Errorf("writing it: %w", err)
	}
	w.rows++
	if w.rows%256 == 0 {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if now := time.Now(); w.progress != nil && now.Sub(w.told) > 100*time.Millisecond {
			w.told = now
			w.progress(w.rows, w.done, w.total)
		}
	}
	return nil
}
