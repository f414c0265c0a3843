package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, c := range []struct {
		text string
		perm os.FileMode
	}{{"first", 0o644}, {"", 0o600}, {strings.Repeat("third ", 1000), 0o600}} {
		if err := Write(path, []byte(c.text), c.perm); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(path)
		if err != nil || st.Mode().Perm() != c.perm {
			t.Errorf("mode %v, want %v (%v)", st.Mode().Perm(), c.perm, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != c.text {
			t.Errorf("it has %.40q, want %.40q (%v)", got, c.text, err)
		}
	}
	if err := Write(filepath.Join(dir, "none", "file"), nil, 0o600); err == nil {
		t.Error("a directory that is not there is no error")
	}
	if err := Write(dir, []byte("x"), 0o600); err == nil { // which cannot be renamed over
		t.Error("a directory in its place is no error")
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("left are %v (%v)", list, err)
	}
}
