package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// maxColumn is what one column of a row group may take, in bytes.
const maxColumn = 1 << 30

// readParquet reads all rows of a Parquet file, with whatever lists and structs they have.
func readParquet(name string, r io.ReaderAt, size int64, out *writer, res *Result) (err error) {
	defer func() { // the library panics on some damaged files
		if p := recover(); p != nil {
			err = &Error{File: name, Row: out.rows + 1, What: fmt.Sprintf("the Parquet file is damaged (%v); download it again", p)}
		}
	}()
	if err := checkFooter(name, r, size); err != nil {
		return err
	}
	f, err := parquet.OpenFile(r, size)
	if err != nil {
		return &Error{File: name, What: fmt.Sprintf("this is no whole Parquet file (%v); download it again", err)}
	}
	// A damaged file may name sizes for which there is no memory.
	for i, group := range f.Metadata().RowGroups {
		for _, c := range group.Columns {
			if m := c.MetaData; m.TotalUncompressedSize < 0 || m.TotalUncompressedSize > maxColumn || m.TotalCompressedSize < 0 || m.TotalCompressedSize > size {
				return &Error{File: name, What: fmt.Sprintf("column %v of row group %d claims %d bytes, %d of the file's %d; the file is damaged, or its row groups are too large: write it with smaller ones",
					m.PathInSchema, i+1, m.TotalUncompressedSize, m.TotalCompressedSize, size)}
			}
		}
	}
	for _, c := range f.Schema().Fields() {
		res.Columns = append(res.Columns, c.Name())
	}
	if len(res.Columns) == 0 {
		return &Error{File: name, What: "the Parquet file has no columns"}
	}
	out.total = f.NumRows()
	rows := parquet.NewGenericReader[any](f)
	defer rows.Close()
	batch := make([]any, 64)
	noted := map[string]bool{}
	for {
		n, err := rows.Read(batch)
		for _, x := range batch[:n] {
			row, ok := x.(map[string]any)
			if !ok {
				return &Error{File: name, Row: out.rows + 1, What: fmt.Sprintf("a row was read as %T", x)}
			}
			out.done = int64(out.rows)
			err := out.row(res.Columns, func(i int) any {
				v, clean := text(row[res.Columns[i]])
				if !clean && !noted[res.Columns[i]] {
					noted[res.Columns[i]] = true
					res.Notes = append(res.Notes, fmt.Sprintf("column %s has values that are neither text nor numbers (from row %d on); they became null", res.Columns[i], out.rows+1))
				}
				return v
			})
			if err != nil {
				return &Error{File: name, Row: out.rows + 1, What: err.Error()}
			}
		}
		clear(batch)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &Error{File: name, Row: out.rows + 1, What: fmt.Sprintf("the Parquet file is damaged (%v); download it again", err)}
		}
		if n == 0 {
			return &Error{File: name, Row: out.rows + 1, What: "the Parquet file names more rows than it has; download it again"}
		}
	}
}

// checkFooter looks at the size that the file gives for its description, for which the library takes memory at once.
func checkFooter(name string, r io.ReaderAt, size int64) error {
	var end [8]byte
	if size < 12 {
		return &Error{File: name, What: fmt.Sprintf("this is no whole Parquet file (it has %d bytes); download it again", size)}
	}
	if _, err := r.ReadAt(end[:], size-8); err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", name, err)
	}
	n := int64(binary.LittleEndian.Uint32(end[:4]))
	if string(end[4:]) != "PAR1" || n > size-12 {
		return &Error{File: name, What: "this is no whole Parquet file (its end is missing); download it again"}
	}
	return nil
}

// text gives a value as JSON has it. What JSON has no word for, bytes that are no text and numbers that are none, becomes null;
// clean says that there was nothing of that kind.
func text(v any) (_ any, clean bool) {
	clean = true
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return nil, false
		}
	case []byte:
		if !utf8.Valid(v) {
			return nil, false
		}
		return string(v), true
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, false
		}
	case float32:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, false
		}
	case []any:
		for i := range v {
			x, ok := text(v[i])
			v[i], clean = x, clean && ok
		}
	case map[string]any:
		for k := range v {
			x, ok := text(v[k])
			v[k], clean = x, clean && ok
		}
	}
	return v, clean
}
