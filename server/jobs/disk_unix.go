//go:build unix

package jobs

import "syscall"

// Free is how many bytes are free where uploads lie, and where that is.
func (f *Files) Free() (bytes int64, dir string) {
	var s syscall.Statfs_t
	if syscall.Statfs(f.spool, &s) != nil {
		return 0, f.spool
	}
	return int64(s.Bavail) * int64(s.Bsize), f.spool
}
