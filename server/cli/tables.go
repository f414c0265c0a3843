package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"hone/core/hub"
	"hone/core/table"
)

func init() { hub.Rows = tableRows }

// tableRows takes the rows out of a table.
func tableRows(ctx context.Context, from, to string, progress func(done, total int64)) (notes []string, err error) {
	in, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return nil, err
	}
	out, err := os.CreateTemp(filepath.Dir(to), ".rows-*")
	if err != nil {
		return nil, err
	}
	defer func() {
		out.Close()
		os.Remove(out.Name()) // which it has no more once all went well
	}()
	result, err := table.Convert(ctx, filepath.Base(from), in, st.Size(), &limited{out, mostRows(st.Size())}, table.Options{Progress: func(_ int, done, total int64) {
		progress(int64(float64(done)/float64(max(total, 1))*float64(st.Size())), st.Size())
	}})
	if err != nil {
		return nil, err
	}
	if err := out.Sync(); err != nil {
		return nil, err
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return result.Notes, os.Rename(out.Name(), to)
}

// mostRows is what the rows of a table may take, in bytes. A file of some kilobytes can be made that holds the same cell a billion times,
// and a worker reads files that others name.
func mostRows(size int64) int64 { return 1<<30 + 100*size }

// limited is a file that takes so much.
type limited struct {
	io.Writer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, fmt.Errorf("they take more than 1 GiB and a hundred times the table; is it what it should be?")
	}
	return l.Writer.Write(p)
}
