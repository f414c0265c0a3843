//go:build !js

package dist

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/andybalholm/brotli"
	"golang.org/x/sync/errgroup"
)

// Packer writes releases.
type Packer struct {
	Into    string // the folder of the release; what else lies there is removed
	Cache   string // where compressed forms are kept by the hash of what they were made of, for the next time
	Quality int    // of brotli, 0 to 11; a form of the cache that was made with more is taken as well
}

// worthwhile is the largest part of its size that a file must shrink to for its compressed forms to be kept.
const worthwhile = 0.95

// Pack writes a release of the files, given by path. Compressing takes long, half a minute for a large program: files that
// have not changed are taken from the cache.
func (p Packer) Pack(files map[string][]byte) (*Release, error) {
	r := &Release{Files: make([]File, 0, len(files))}
	for path, content := range files {
		sum := sha256.Sum256(content)
		r.Files = append(r.Files, File{Path: path, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])})
	}
	slices.SortFunc(r.Files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	r.Hash = hashOf(r.Files)

	var all errgroup.Group
	all.SetLimit(runtime.GOMAXPROCS(0))
	forms := make([]map[string][]byte, len(r.Files))
	for i, f := range r.Files {
		all.Go(func() (err error) { forms[i], err = p.forms(f, files[f.Path]); return err })
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	contents := map[string][]byte{} // of the folder
	for i := range r.Files {
		f := &r.Files[i]
		for form, content := range forms[i] {
			contents[f.Path+Suffixes[form]] = content
			if form != "" {
				f.Forms = append(f.Forms, form)
			}
		}
		slices.Sort(f.Forms)
	}
	index, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return nil, err
	}
	if err := p.write(contents, index); err != nil {
		return nil, err
	}
	r.from = os.DirFS(p.Into)
	return r, nil
}

// forms are what is kept of a file: compressed ones, or where these save nothing the file as it is, under "".
func (p Packer) forms(f File, content []byte) (map[string][]byte, error) {
	br, err := p.cached(f.SHA256, "br", p.Quality, func() ([]byte, error) { return Brotli(content, p.Quality) })
	if err != nil {
		return nil, err
	}
	if float64(len(br)) > worthwhile*float64(len(content)) {
		return map[string][]byte{"": content}, nil
	}
	gz, err := p.cached(f.SHA256, "gz", gzip.BestCompression, func() ([]byte, error) { return Gzip(content) })
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"br": br, "gzip": gz}, nil
}

// cached gives what was made of the content with that hash at this quality or a better one, or makes and keeps it.
func (p Packer) cached(sum, kind string, quality int, make func() ([]byte, error)) ([]byte, error) {
	name := func(q int) string { return filepath.Join(p.Cache, sum+"-"+strconv.Itoa(q)+"."+kind) }
	for q := 11; q >= quality; q-- {
		if raw, err := os.ReadFile(name(q)); err == nil {
			return raw, nil
		}
	}
	raw, err := make()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.Cache, 0o777); err != nil {
		return nil, err
	}
	part, err := os.CreateTemp(p.Cache, ".part-*")
	if err != nil {
		return nil, err
	}
	_, err = part.Write(raw)
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), name(quality))
	}
	if err != nil {
		os.Remove(part.Name())
		return nil, err
	}
	return raw, nil
}

// write makes the folder hold these files and the index. Files that are the same already are left alone, so that a build
// after this has nothing to do.
func (p Packer) write(contents map[string][]byte, index []byte) error {
	path := func(name string) string { return filepath.Join(p.Into, filepath.FromSlash(name)) }
	changed := map[string][]byte{}
	for name, content := range contents {
		if have, err := os.ReadFile(path(name)); err != nil || !bytes.Equal(have, content) {
			changed[name] = content
		}
	}
	if have, err := os.ReadFile(path(Index)); len(changed) == 0 && err == nil && bytes.Equal(have, index) {
		return nil
	}
	// While files are written there is no index: a build that is cut short leaves nothing that looks whole.
	if err := os.Remove(path(Index)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for name, content := range changed {
		if err := os.MkdirAll(filepath.Dir(path(name)), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path(name), content, 0o644); err != nil {
			return err
		}
	}
	if err := p.sweep(contents); err != nil {
		return err
	}
	return os.WriteFile(path(Index), index, 0o644)
}

// sweep removes what earlier releases have left.
func (p Packer) sweep(keep map[string][]byte) error {
	var folders []string
	err := filepath.WalkDir(p.Into, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == p.Into || d.Name() == ".gitignore" {
			return err
		}
		if d.IsDir() {
			folders = append(folders, path)
			return nil
		}
		name, err := filepath.Rel(p.Into, path)
		if _, kept := keep[filepath.ToSlash(name)]; kept || err != nil {
			return err
		}
		return os.Remove(path)
	})
	slices.Reverse(folders)
	for _, f := range folders {
		os.Remove(f) // stays where something is in it
	}
	return err
}

// Brotli compresses at a quality of 0 to 11.
func Brotli(content []byte, quality int) ([]byte, error) {
	var out bytes.Buffer
	w := brotli.NewWriterOptions(&out, brotli.WriterOptions{Quality: quality, LGWin: 24})
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("brotli: %w", err)
	}
	return out.Bytes(), nil
}

// Gzip compresses as well as gzip can.
func Gzip(content []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return out.Bytes(), nil
}
