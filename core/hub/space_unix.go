//go:build linux || darwin || freebsd

package hub

import "syscall"

// freeSpace is how many bytes the disk of a directory has left for this user.
func freeSpace(dir string) (int64, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}
