package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	partialSuffix = ".partial"
	etagSuffix    = ".partial.etag"
)

// download brings one file: behind what an earlier attempt left, checked, and under its name only when it is whole.
type download struct {
	c       *client
	file    file
	path    string
	address string
	tell    func(have int64)

	f      *os.File
	have   int64 // bytes in the partial file
	starts int   // how often it began anew
	trail  *trail
	told   time.Time
}

func (d *download) run(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(d.path), 0o777); err != nil {
		return err
	}
	var err error
	if d.f, err = os.OpenFile(d.path+partialSuffix, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return err
	}
	defer d.f.Close()
	if d.have, err = d.f.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	for second := false; ; second = true {
		err = d.c.retry(ctx, func() (bool, error) {
			before := d.have
			err := d.attempt(ctx)
			return d.have > before, err
		})
		if err == nil {
			err = d.check()
		}
		var wrong *mismatch
		if errors.As(err, &wrong) && !second { // damaged on its way, or a partial file of something else: once more from the start
			if err := d.restart(); err != nil {
				return err
			}
			continue
		}
		if errors.As(err, &wrong) {
			d.f.Close() // before its file goes, since some systems cannot remove what is open
			os.Remove(d.path + partialSuffix)
			os.Remove(d.path + etagSuffix)
		}
		if err != nil {
			return full(err)
		}
		break
	}
	if err := d.f.Sync(); err != nil {
		return full(err)
	}
	if err := d.f.Close(); err != nil {
		return full(err)
	}
	os.Remove(d.path + etagSuffix)
	d.told = time.Time{}
	d.say()
	return os.Rename(d.path+partialSuffix, d.path)
}

// full says what can be done about a full disk.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w; make room and run it again: it goes on where it stopped", err)
	}
	return err
}

// restart forgets what has come. A server that makes it do so again and again has another file than the hub says.
func (d *download) restart() error {
	if d.starts++; d.starts > 5 {
		return &mismatch{"what the server sends does not fit together"}
	}
	os.Remove(d.path + etagSuffix)
	d.have = 0
	return d.f.Truncate(0)
}

// attempt asks for what is missing and appends it.
func (d *download) attempt(ctx context.Context) error {
	if d.file.Size >= 0 && d.have > d.file.Size {
		if err := d.restart(); err != nil {
			return err
		}
	}
	if d.file.Size >= 0 && d.have == d.file.Size && (d.have > 0 || d.hash() != "") {
		return nil
	}
	header := http.Header{"Accept-Encoding": {"identity"}} // a range counts bytes of the file, not of its compressed form
	if d.have > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", d.have))
		// Where the hub has told a hash, that says whether the parts belong together. A page would have to ask for leave to send
		// this header (a preflight), which the hosts of large files do not all give.
		if tag, err := os.ReadFile(d.path + etagSuffix); err == nil && d.hash() == "" {
			header.Set("If-Range", string(tag))
		}
	}
	a, err := d.c.get(ctx, d.address, header)
	var s *status
	if errors.As(err, &s) && s.code == http.StatusRequestedRangeNotSatisfiable && d.have > 0 {
		if err := d.restart(); err != nil {
			return err
		}
		return &broken{errors.New("the server does not have the range that is missing; beginning again")}
	}
	if err != nil {
		return err
	}
	defer a.Close()
	d.trail = a.trail
	if a.StatusCode == http.StatusOK || !d.continues(a) {
		if a.StatusCode == http.StatusPartialContent && d.have == 0 {
			return errors.New("the server sends a part of the file that nobody asked for")
		}
		restarted := d.have > 0
		if err := d.restart(); err != nil {
			return err
		}
		if restarted && a.StatusCode == http.StatusPartialContent {
			return &broken{errors.New("the server sends another part of the file than the one that is missing; beginning again")}
		}
	}
	if n := a.ContentLength; a.StatusCode == http.StatusOK && n >= 0 && d.file.Size >= 0 && n != d.file.Size {
		return &mismatch{fmt.Sprintf("the hub says that it has %d bytes, and the server has %d", d.file.Size, n)}
	}
	if tag := a.Header.Get("ETag"); d.have == 0 && strings.HasPrefix(tag, `"`) && len(tag) < 200 { // a weak one does not vouch for bytes
		os.WriteFile(d.path+etagSuffix, []byte(tag), 0o666) // without it the range is asked for unconditionally
	}
	return d.append(a)
}

// continues says whether a 206 brings the bytes from have on. Not every host lets a page read Content-Range; then the length of what
// comes has to do, if there is a hash that finds out what it does not say.
func (d *download) continues(a *answer) bool {
	contentRange, have, size := a.Header.Get("Content-Range"), d.have, d.file.Size
	if contentRange == "" {
		return size >= 0 && a.ContentLength == size-have && d.hash() != ""
	}
	var from, to, total int64
	if n, _ := fmt.Sscanf(contentRange, "bytes %d-%d/%d", &from, &to, &total); n == 3 {
		return from == have && (size < 0 || total == size)
	}
	n, _ := fmt.Sscanf(contentRange, "bytes %d-%d/*", &from, &to)
	return n == 2 && from == have
}

func (d *download) append(a *answer) error {
	buf := make([]byte, 256<<10)
	for {
		n, err := a.Read(buf)
		if d.file.Size >= 0 && d.have+int64(n) > d.file.Size {
			return &mismatch{fmt.Sprintf("the hub says that it has %d bytes, and the server sends more", d.file.Size)}
		}
		if n > 0 {
			if _, err := d.f.WriteAt(buf[:n], d.have); err != nil {
				return err
			}
			d.have += int64(n)
			d.say()
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return &broken{err}
		}
	}
	if d.file.Size >= 0 && d.have < d.file.Size {
		return &broken{fmt.Errorf("the connection ended after %d of %d bytes", d.have, d.file.Size)}
	}
	return nil
}

// say tells the progress, a few times a second.
func (d *download) say() {
	if d.tell != nil && time.Since(d.told) > 100*time.Millisecond {
		d.told = time.Now()
		d.tell(d.have)
	}
}

// mismatch is a file that is not what the hub says.
type mismatch struct{ text string }

func (m *mismatch) Error() string { return m.text + "; nothing of it is kept" }

// hash is what the file's content must hash to, as far as the hub has said it: sha256:… or git:….
func (d *download) hash() string {
	switch {
	case d.file.SHA256 != "":
		return "sha256:" + d.file.SHA256
	case d.file.GitSHA1 != "":
		return "git:" + d.file.GitSHA1
	case d.trail == nil || d.c.hub != HuggingFace:
		return ""
	case sha256Shape(d.trail.linked):
		return "sha256:" + d.trail.linked
	case sha256Shape(d.trail.etag):
		return "sha256:" + d.trail.etag
	case sha1Shape(d.trail.etag):
		return "git:" + d.trail.etag
	}
	return ""
}

// check reads the file from the disk and compares its hash.
func (d *download) check() error {
	kind, want, ok := strings.Cut(d.hash(), ":")
	if !ok {
		return nil
	}
	var h hash.Hash
	if kind == "git" {
		h = sha1.New()
		fmt.Fprintf(h, "blob %d\x00", d.have)
	} else {
		h = sha256.New()
	}
	if _, err := io.Copy(h, io.NewSectionReader(d.f, 0, d.have)); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return &mismatch{fmt.Sprintf("its content has the hash %s, and the hub says %s: it was damaged on its way, or it is not the file of the repository", got, want)}
	}
	return nil
}
