// Package atomicfile writes small files that others read meanwhile, or that must not be half written when the power goes.
package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
)

// Write gives the file at path the content data and the mode perm: whoever opens it finds what it was or what it is now, never a part. Its
// directory has to be there. The bytes are on the disk before the name is.
func Write(path string, data []byte, perm os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil && perm != 0o600 { // which a temporary file has; browsers know no modes
		err = os.Chmod(f.Name(), perm)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
