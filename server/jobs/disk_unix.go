//go:build unix

package jobs

import "syscall"

// Free is how many bytes are free where uploads lie, and where that is; -1 where that is unknown.
func (f *Files) Free() (bytes int64, dir string) {
	var s syscall.Statfs_t
	if syscall.Statfs(f.spool, &s) != nil {
		return -1, f.spool
	}
	return int64(s.Bavail) * int64(s.Bsize), f.spool
}

// diskSize is how many bytes the disk below a directory has; 0 where that is unknown.
func diskSize(dir string) int64 {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0
	}
	return int64(s.Blocks) * int64(s.Bsize)
}
