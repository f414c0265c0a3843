//go:build !unix

package jobs

// Free is how many bytes are free where uploads lie, which is not known here (-1), and where that is.
func (f *Files) Free() (bytes int64, dir string) { return -1, f.spool }

func diskSize(string) int64 { return 0 }
