package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// serverFile is a file that a server gives out as it is; it goes on behind what has come.
type serverFile struct {
	address, path string
	size          int64  // -1: unknown
	tag           string // of the file that is meant; "": whatever is there
	tell          func(done, total int64)
}

// part is where it is until it is whole.
func (d *serverFile) part() string {
	return filepath.Join(filepath.Dir(d.path), "."+filepath.Base(d.path)+partSuffix)
}

func (d *serverFile) run(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(d.path), 0o777); err != nil {
		return err
	}
	part := d.part()
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	tag, err := os.ReadFile(part + etag)
	if err != nil || d.tag != "" && d.tag != string(tag) {
		have = 0 // nothing says that it is the beginning of the same file
	}
	if have != d.size {
		if have, err = d.more(ctx, f, have, string(tag)); err != nil {
			return err
		}
	}
	if d.size >= 0 && have != d.size {
		os.Remove(part)
		return fmt.Errorf("%s has %d bytes, and the server said %d; try again", path.Base(d.address), have, d.size)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	_ = os.Remove(part + etag) // it may never have been there
	return os.Rename(part, d.path)
}

const (
	partSuffix = ".part" // ends the name of what has come of a file
	etag       = ".etag" // behind it, of the file that says of what it is the beginning
)

// more asks for what is missing behind have bytes of what has the tag, and gives how many there are then.
func (d *serverFile) more(ctx context.Context, f *os.File, have int64, tag string) (int64, error) {
	goesOn := func() string {
		if isMissing(f.Name() + etag) {
			return "try again"
		}
		return "asked for again, it goes on behind what has come"
	}
	answer, err := get(ctx, d.address, have, tag)
	if have > 0 && ctx.Err() == nil && (err != nil || answer.StatusCode == http.StatusRequestedRangeNotSatisfiable) {
		if err == nil {
			answer.Body.Close()
		}
		answer, err = get(ctx, d.address, 0, "") // not every host lets a page ask for a rest
	}
	if err != nil {
		return have, fmt.Errorf("%s: %w; %s", path.Base(d.address), err, goesOn())
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		have = 0
	case http.StatusPartialContent:
	default:
		return have, fmt.Errorf("%s: the server says %s", d.address, answer.Status)
	}
	if err := f.Truncate(have); err != nil {
		return have, err
	}
	if tag := answer.Header.Get("ETag"); strings.HasPrefix(tag, `"`) { // a weak one does not vouch for bytes
		err = os.WriteFile(f.Name()+etag, []byte(tag), 0o666)
	} else if err = os.Remove(f.Name() + etag); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return have, err
	}
	total := d.size
	if total < 0 && answer.ContentLength > 0 {
		total = have + answer.ContentLength
	}
	buffer := make([]byte, 1<<20)
	for {
		n, err := answer.Body.Read(buffer)
		if n > 0 {
			if _, err := f.WriteAt(buffer[:n], have); err != nil {
				return have, fmt.Errorf("%s: %w", d.path, err)
			}
			have += int64(n)
			d.tell(have, total)
		}
		if errors.Is(err, io.EOF) {
			return have, nil
		}
		if err != nil {
			return have, fmt.Errorf("%s: the connection broke after %d bytes (%w); %s", path.Base(d.address), have, err, goesOn())
		}
	}
}

// get asks for the bytes of an address from some place on, if what is there still has the tag, and otherwise for all of them.
func get(ctx context.Context, address string, from int64, tag string) (*http.Response, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if from > 0 {
		q.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
		q.Header.Set("If-Range", tag)
	}
	return http.DefaultClient.Do(q)
}
