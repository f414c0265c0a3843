package http

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/web/dist"
)

func TestStaticSite(t *testing.T) {
	o, dir := options(t), filepath.Join(t.TempDir(), "site")
	if err := WriteSite(o, dir); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "a", "of-another-release")
	if err := os.Mkdir(old, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := WriteSite(o, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("the files of another release are still there")
	}
	read := func(path string) string {
		raw, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Error(err)
		}
		return string(raw)
	}
	at := assetsOf(t, o)
	if got := read(at + "trainer.wasm"); got != string(program) {
		t.Errorf("the program has %d bytes, want %d", len(got), len(program))
	}
	for _, path := range []string{at + "trainer.wasm.br", at + "trainer.wasm.gz", at + "bundle/model/config.json", "sw.js", "en/index.html.br", "zh/index.html.gz"} {
		read(path)
	}
	for path, up := range map[string]string{"index.html": `"a/`, "en/index.html": `"../a/`, "zh/index.html": `"../a/`} {
		text := read(path)
		if !strings.Contains(text, "default-src ") || strings.Contains(text, "frame-ancestors") || !strings.Contains(text, up) || strings.Contains(text, `="/`) {
			t.Errorf("%s: %s", path, text)
		}
	}

	taken := t.TempDir()
	if err := os.WriteFile(filepath.Join(taken, "thesis.txt"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := WriteSite(o, taken); err == nil || !strings.Contains(err.Error(), "no site of this program") {
		t.Errorf("into a folder of something else: %v", err)
	}
	if err := WriteSite(Options{Page: page}, dir); err != dist.ErrNone {
		t.Errorf("without a release: %v", err)
	}
	if _, err := New(Options{Page: page}); err != dist.ErrNone {
		t.Errorf("a server without a release: %v", err)
	}
}

// Two releases never share the name that their service workers keep files under, whatever it is that differs; nor do scripts share an
// address that a browser keeps with other headers.
func TestReleasesDiffer(t *testing.T) {
	made := func(o Options, inside bool) (sw, assets string) {
		s, err := newSite(o, inside)
		if err != nil {
			t.Fatal(err)
		}
		return string(s.rendered["sw.js"].form[""]), s.assets
	}
	o := options(t)
	sw, assets := made(o, false)
	if again, same := made(o, false); again != sw || same != assets {
		t.Error("the same release differs from itself")
	}
	if other, _ := made(o, true); other == sw {
		t.Error("pages differ and the service worker does not")
	}
	o.Connect = append(o.Connect, "https://another.example")
	if other, scripts := made(o, false); other == sw || scripts == assets {
		t.Error("a server that its page may speak with is new, and browsers keep the scripts and pages that may not")
	}
}

// assetsOf is the folder that a server has the release's files in.
func assetsOf(t *testing.T, o Options) string {
	t.Helper()
	s, err := newSite(o, false)
	if err != nil {
		t.Fatal(err)
	}
	return s.assets
}
