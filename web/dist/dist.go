//go:build !js

// Package dist holds the page's files as the program carries them: scripts, styles, the trainer's WebAssembly, the bundled
// model. `make build` packs them into the folder site, which is embedded; in a fresh clone it is empty, and all but the
// page itself works without it.
//
// All files of a release lie below one address that has the release's hash in it, so that they can be kept for ever and find
// each other by plain relative names.
package dist

import (
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
)

//go:embed all:site
var embedded embed.FS

// The scripts that the program itself brings: sw.js is served in front of a list of files, see Release.
//
//go:embed sw.js offline.js language.js
var Scripts embed.FS

// ErrNone says that the program was built without the page.
var ErrNone = errors.New("this program was built without its page: `make build`, in the repository, makes one that has it")

// Index is the name of the file that lists the others.
const Index = "release.json"

// Release is a set of files that belong together.
type Release struct {
	Hash  string `json:"hash"`  // of all names and contents, hexadecimal
	Files []File `json:"files"` // by path

	from fs.FS
}

// File is one of a release. Where compressed forms are kept ("br", "gzip"), the plain one is not: it comes from "gzip".
type File struct {
	Path   string   `json:"path"`
	Size   int64    `json:"size"`
	SHA256 string   `json:"sha256"`
	Forms  []string `json:"forms,omitempty"`
}

// Suffixes are what the names of compressed forms end in.
var Suffixes = map[string]string{"br": ".br", "gzip": ".gz"}

// types are the MIME types of what a page is made of; what is not here is bytes.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".json": "application/json",
	".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm", ".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2",
	".webmanifest": "application/manifest+json",
}

// Type is the MIME type of a file by its name; it does not depend on the machine.
func Type(name string) string {
	if t, ok := types[path.Ext(name)]; ok {
		return t
	}
	return "application/octet-stream"
}

// Open gives the release that the program carries, or ErrNone.
func Open() (*Release, error) {
	sub, err := fs.Sub(embedded, "site")
	if err != nil {
		return nil, err
	}
	return Read(sub)
}

// Read reads a packed release, as Pack has written it.
func Read(from fs.FS) (*Release, error) {
	raw, err := fs.ReadFile(from, Index)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	r := &Release{from: from}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("%s of the packed page: %w; run make build again", Index, err)
	}
	for _, f := range r.Files {
		for _, form := range f.kept() {
			if _, err := fs.Stat(from, f.Path+Suffixes[form]); err != nil {
				return nil, fmt.Errorf("the packed page lacks %s: run make build again", f.Path+Suffixes[form])
			}
		}
	}
	return r, nil
}

// kept are the forms that lie in the folder; "" is the file as it is.
func (f File) kept() []string {
	if len(f.Forms) == 0 {
		return []string{""}
	}
	return f.Forms
}

// Find gives the file at a path.
func (r *Release) Find(path string) (File, bool) {
	at, ok := slices.BinarySearchFunc(r.Files, path, func(f File, p string) int {
		switch {
		case f.Path < p:
			return -1
		case f.Path > p:
			return 1
		}
		return 0
	})
	if !ok {
		return File{}, false
	}
	return r.Files[at], true
}

// Form gives the bytes of a file in one of its Forms.
func (r *Release) Form(f File, form string) ([]byte, error) {
	return fs.ReadFile(r.from, f.Path+Suffixes[form])
}

// Plain gives a file as it is.
func (r *Release) Plain(f File) ([]byte, error) {
	if len(f.Forms) == 0 {
		return fs.ReadFile(r.from, f.Path)
	}
	packed, err := r.from.Open(f.Path + Suffixes["gzip"])
	if err != nil {
		return nil, err
	}
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		return nil, fmt.Errorf("%s of the packed page: %w", f.Path, err)
	}
	return io.ReadAll(io.LimitReader(z, f.Size))
}

// hashOf is the hash of files that are sorted by path.
func hashOf(files []File) string {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%s %d %s\n", f.Path, f.Size, f.SHA256)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
