package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// File is one open safetensors file. Its methods may be called from several goroutines at once.
type File struct {
	name     string
	r        io.ReaderAt
	closer   io.Closer
	tensors  []Info // sorted by name
	metadata map[string]string
}

// Open opens and checks the file at path. Only the header is read.
func Open(path string) (*File, error) {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file; check the path, or download the model: %w", path, fs.ErrNotExist)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, cause(err))
	case st.IsDir():
		return nil, fmt.Errorf("%s is a directory, not a safetensors file; name the file in it", path)
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, cause(err))
	}
	if st, err = f.Stat(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, cause(err))
	}
	file, err := NewReader(f, st.Size(), path)
	if err != nil {
		f.Close()
		return nil, err
	}
	file.closer = f
	return file, nil
}

// NewReader checks the safetensors file of size bytes that r holds. The name stands in errors. Closing the File leaves r open.
func NewReader(r io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{name: name, r: r}
	if err := f.readHeader(size); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

func (f *File) readHeader(size int64) error {
	if size <= 0 {
		return errors.New("the file is empty; download or copy it again")
	}
	head := make([]byte, min(size, 512))
	if err := readFull(f.r, head, 0); err != nil {
		return err
	}
	if err := lfsPointer(head); err != nil {
		return err
	}
	if size < 8 {
		return fmt.Errorf("the file has only %d bytes; no safetensors file is that short", size)
	}
	n := binary.LittleEndian.Uint64(head)
	if n > maxHeader {
		return fmt.Errorf("the first eight bytes give a header of %d bytes, more than the format's limit of %d; this is no safetensors file, or it is damaged", n, maxHeader)
	}
	if int64(n) > size-8 {
		return fmt.Errorf("the header has %d bytes, but the file ends after %d of them; it is truncated or no safetensors file", n, size-8)
	}
	raw := make([]byte, n)
	if err := readFull(f.r, raw, 8); err != nil {
		return err
	}
	start := 8 + int64(n)
	tensors, metadata, err := parseHeader(raw, size-start)
	if err != nil {
		return err
	}
	for i := range tensors {
		tensors[i].Offset += start
	}
	f.tensors, f.metadata = tensors, metadata
	return nil
}

// lfsPointer recognises the text file that Git leaves in the place of a large file it has not fetched.
func lfsPointer(head []byte) error {
	if !bytes.HasPrefix(head, []byte("version https://git-lfs.github.com/spec/v1")) {
		return nil
	}
	size := ""
	for line := range strings.Lines(string(head)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "size "); ok {
			size = fmt.Sprintf(" of %.20s bytes", n)
		}
	}
	return fmt.Errorf("this is a Git LFS pointer in the place of the real file%s; run `git lfs pull` in its repository to fetch it", size)
}

// Tensors lists the tensors, sorted by name.
func (f *File) Tensors() []Info { return slices.Clone(f.tensors) }

// Metadata is the header's free-form text; nil when it has none.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Lookup finds a tensor by name.
func (f *File) Lookup(name string) (Info, bool) {
	i, ok := slices.BinarySearchFunc(f.tensors, name, func(t Info, name string) int { return cmp.Compare(t.Name, name) })
	if !ok {
		return Info{}, false
	}
	return f.tensors[i], true
}

func (f *File) find(name string) (Info, error) {
	info, ok := f.Lookup(name)
	if !ok {
		return info, fmt.Errorf("%s has no tensor %.200q", f.name, name)
	}
	return info, nil
}

// Reader reads the bytes of a tensor as they stand in the file: little-endian, row-major.
func (f *File) Reader(name string) (*io.SectionReader, error) {
	info, err := f.find(name)
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(f.r, info.Offset, info.Bytes), nil
}

// ReadBytes reads the bytes of a whole tensor as they stand in the file.
func (f *File) ReadBytes(name string) ([]byte, error) {
	info, err := f.find(name)
	if err != nil {
		return nil, err
	}
	b := make([]byte, info.Bytes)
	if err := readFull(f.r, b, info.Offset); err != nil {
		return nil, fmt.Errorf("%s: tensor %.200q: %w", f.name, name, err)
	}
	return b, nil
}

// Close closes the file if Open opened it.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// readFull fills b from off. A file that has become shorter since it was opened is an error, never a short read.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("the file ends %d bytes too early; it changed while it was read: %w", len(b)-n, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("reading %d bytes at %d: %w", len(b), off, cause(err))
}

// cause takes the path out of an operating system error whose message names the file already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
