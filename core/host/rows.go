package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"hone/core/hub"
	"hone/core/wire"
)

// fetchedDir has rows that are on their way here from an address.
const fetchedDir = dataDir + "/.fetched"

// fetchRows brings rows from an address, and gives the file in which they are.
func (h *Host) fetchRows(ctx context.Context, address *url.URL, part parts) (string, error) {
	name := path.Base(address.Path)
	if name == "/" || name == "." || strings.HasPrefix(name, ".") {
		return "", fmt.Errorf("the address %s does not end in the name of a file", address)
	}
	at := filepath.Join(h.dir, fetchedDir, name)
	d := &serverFile{address: address.String(), path: at, size: -1, tell: func(done, total int64) {
		part("downloading", wire.Downloading{Name: name, Hub: address.Host, File: name, Done: done, Total: max(total, 0)})
	}}
	if err := d.run(ctx); err != nil {
		if rest := d.part(); ctx.Err() != nil || isMissing(rest+etag) { // nobody wants the rest, or it cannot be had without the beginning
			os.Remove(rest)
			os.Remove(rest + etag)
		}
		return "", err
	}
	if hub.Rows != nil && hub.IsTable(at) { // of a table its rows are kept
		defer os.Remove(at)
		rows := at + ".jsonl"
		notes, err := hub.Rows(ctx, at, rows, func(done, total int64) {
			part.sink(wire.Downloading{Name: name, Hub: address.Host, File: name, Done: done, Total: total})
		})
		if err != nil {
			return "", err
		}
		for _, n := range notes {
			part.sink(wire.Warning{Text: name + ": " + n})
		}
		at = rows
	}
	return h.keepRows(at)
}

// ending is what of a file's name says what is in it.
var ending = regexp.MustCompile(`(?i)((\.(csv|tsv|parquet))?\.[^.]*)?$`)

// keepRows gives rows that have come a name in data/. What lies there stays, since a run may have been begun with it: other rows of the
// same name take one beside it.
func (h *Host) keepRows(from string) (string, error) {
	name := filepath.Base(from)
	end := ending.FindString(name)
	for n := 1; ; n++ {
		to := filepath.Join(h.dir, dataDir, name)
		if n > 1 {
			to = filepath.Join(h.dir, dataDir, fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, end), n, end))
		}
		if isMissing(to) {
			return to, os.Rename(from, to)
		}
		if same, err := sameBytes(from, to); err != nil {
			return "", err
		} else if same {
			return to, os.Remove(from)
		}
	}
}

// sameBytes says whether two files hold the same.
func sameBytes(a, b string) (bool, error) {
	x, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer x.Close()
	y, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer y.Close()
	p, q := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(x, p)
		m, err2 := io.ReadFull(y, q)
		for _, e := range []error{err, err2} {
			if e != nil && !errors.Is(e, io.EOF) && !errors.Is(e, io.ErrUnexpectedEOF) {
				return false, e
			}
		}
		if same := bytes.Equal(p[:n], q[:m]); !same || err != nil {
			return same, nil
		}
	}
}
