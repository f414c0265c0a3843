package checkpoint

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Glob lists what lies below a directory under names of a pattern of path.Match. The directory is taken as it is written: a name with a
// bracket in it is no pattern.
func Glob(dir, pattern string) []string {
	found, _ := fs.Glob(os.DirFS(dir), pattern) // the program's patterns are well formed
	for i, name := range found {
		found[i] = filepath.Join(dir, filepath.FromSlash(name))
	}
	return found
}
