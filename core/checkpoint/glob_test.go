package checkpoint

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestGlob looks below a directory whose own name could be a pattern, and below one that is not there.
func TestGlob(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b]*c")
	for _, name := range []string{"one/v1/args.json", "two/v2/args.json", "two/v2/other", "two/w/args.json"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{filepath.Join(dir, "one", "v1", "args.json"), filepath.Join(dir, "two", "v2", "args.json")}
	if got := Glob(dir, "*/v*/args.json"); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if got := Glob(filepath.Join(dir, "none"), "*"); len(got) > 0 {
		t.Errorf("below nothing lies %q", got)
	}
}
