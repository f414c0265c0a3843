// Package golden finds the reference data that tests compare with: testdata/golden, which is in the repository, and the
// folder ../shared beside it, which a clone may lack. Only tests import it.
package golden

import (
	"os"
	"path/filepath"
	"testing"
)

// Root is the repository's folder, the one with go.mod, found upwards from the package under test.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the package")
		}
		dir = up
	}
}

// Own is a file or folder of testdata/golden.
func Own(t testing.TB, path string) string {
	t.Helper()
	return filepath.Join(Root(t), "testdata", "golden", filepath.FromSlash(path))
}

// Shared is a file or folder of ../shared; the test is skipped where there is none.
func Shared(t testing.TB, path string) string {
	t.Helper()
	full := filepath.Join(filepath.Dir(Root(t)), "shared", filepath.FromSlash(path))
	if _, err := os.Stat(full); err != nil {
		t.Skipf("../shared/%s is not beside this checkout", path)
	}
	return full
}
