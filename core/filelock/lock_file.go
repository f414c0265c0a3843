//go:build !js

package filelock

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

const somebody = "another process"

// Lock is a lock that this process holds.
type Lock struct{ f *os.File }

// Try takes the lock of a path or fails with *Held. The directory of the path must exist. Where the file system or the
// platform has no locks, everybody gets one.
func Try(path string) (*Lock, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		ok, err := lock(f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if !ok {
			pid := readPID(f)
			f.Close()
			return nil, &Held{path, pid}
		}
		// The holder before may have removed the file between our opening and our locking it: then it locks nothing.
		mine, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, err
		}
		if there, err := os.Stat(path); err != nil || !os.SameFile(mine, there) {
			f.Close()
			continue
		}
		f.Truncate(0)
		f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // for people; the lock holds without it
		return &Lock{f}, nil
	}
}

// Release gives the lock back and removes its file.
func (l *Lock) Release() error {
	return errors.Join(os.Remove(l.f.Name()), l.f.Close())
}

func readPID(f *os.File) int {
	raw, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(raw)))
	return pid
}
