//go:build !js

package dist

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func packed(t *testing.T, p Packer, files map[string][]byte) *Release {
	t.Helper()
	r, err := p.Pack(files)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPackAndRead(t *testing.T) {
	p := Packer{Into: t.TempDir(), Cache: t.TempDir(), Quality: 5}
	if _, err := Read(os.DirFS(p.Into)); !errors.Is(err, ErrNone) {
		t.Fatalf("an empty folder: %v", err)
	}
	files := map[string][]byte{"page.js": bytes.Repeat([]byte("words "), 1000), "bundle/model.safetensors": noise(5000), "empty.css": {}}
	first := packed(t, p, files)
	r, err := Read(os.DirFS(p.Into))
	if err != nil {
		t.Fatal(err)
	}
	if r.Hash != first.Hash || len(r.Files) != len(files) {
		t.Fatalf("read back: %s with %d files", r.Hash, len(r.Files))
	}
	for path, want := range files {
		f, ok := r.Find(path)
		got, err := r.Plain(f)
		if !ok || err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d (%v)", path, len(got), len(want), err)
		}
	}
	if f, _ := r.Find("page.js"); !slices.Equal(f.Forms, []string{"br", "gzip"}) {
		t.Errorf("words are kept as %v", f.Forms)
	}
	if f, _ := r.Find("bundle/model.safetensors"); len(f.Forms) != 0 {
		t.Errorf("noise is kept as %v", f.Forms)
	}
	if _, ok := r.Find("nothing"); ok {
		t.Error("a file that is not there is found")
	}

	if same := packed(t, Packer{Into: t.TempDir(), Cache: t.TempDir(), Quality: 0}, files); same.Hash != r.Hash {
		t.Error("the hash hangs on how files are compressed")
	}
	delete(files, "bundle/model.safetensors")
	if next := packed(t, p, files); next.Hash == r.Hash {
		t.Error("another release has the same hash")
	}
	if _, err := os.Stat(filepath.Join(p.Into, "bundle")); err == nil {
		t.Error("what is no longer part of it is still there")
	}

	if err := os.Remove(filepath.Join(p.Into, "page.js.gz")); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(os.DirFS(p.Into)); err == nil || !strings.Contains(err.Error(), "page.js.gz") {
		t.Errorf("a torn folder: %v", err)
	}
}

// What was compressed once is taken from the cache, at any quality up to its own.
func TestPackTakesWhatIsThere(t *testing.T) {
	p := Packer{Into: t.TempDir(), Cache: t.TempDir(), Quality: 6}
	files := map[string][]byte{"page.js": bytes.Repeat([]byte("words "), 1000)}
	packed(t, p, files)
	kept, err := filepath.Glob(filepath.Join(p.Cache, "*-6.br"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("the cache has %v", kept)
	}
	mark := []byte("as it was")
	if err := os.WriteFile(kept[0], mark, 0o666); err != nil {
		t.Fatal(err)
	}
	form := func(quality int) []byte {
		p.Quality = quality
		r := packed(t, p, files)
		raw, err := r.Form(r.Files[0], "br")
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	if !bytes.Equal(form(6), mark) || !bytes.Equal(form(4), mark) {
		t.Error("compressed again")
	}
	if bytes.Equal(form(9), mark) {
		t.Error("what was made at a lower quality is taken")
	}
}

func TestTypes(t *testing.T) {
	for name, want := range map[string]string{
		"a/page.js": "text/javascript; charset=utf-8", "trainer.wasm": "application/wasm", "model.safetensors": "application/octet-stream", "LICENSE": "application/octet-stream",
	} {
		if got := Type(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}
