package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// FileHash says what a file held.
type FileHash struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// HashFile reads a whole file. The name in the result is the path's last part.
func HashFile(path string) (FileHash, error) {
	f, err := os.Open(path)
	if err != nil {
		return FileHash{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return FileHash{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return FileHash{filepath.Base(path), n, hex.EncodeToString(h.Sum(nil))}, nil
}

// HashFiles hashes files in the given order.
func HashFiles(paths []string) ([]FileHash, error) {
	out := make([]FileHash, len(paths))
	for i, p := range paths {
		var err error
		if out[i], err = HashFile(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Digest is one hash of files in their order. Names do not count, so files keep it when they are moved or renamed.
func Digest(files []FileHash) string {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%d %s\n", f.Size, f.SHA256)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ModelFiles lists the files of a Hugging Face model directory that decide what the model computes: weights, configuration,
// tokenizer and template, sorted by name.
func ModelFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		name := e.Name()
		wanted := slices.Contains([]string{".json", ".safetensors", ".model", ".tiktoken", ".jinja"}, filepath.Ext(name)) || name == "merges.txt" || name == "vocab.txt"
		if !wanted || strings.HasPrefix(name, ".") {
			continue
		}
		path := filepath.Join(dir, name)
		// A model in the Hugging Face cache is made of links to files.
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			out = append(out, path)
		}
	}
	return out, nil
}
