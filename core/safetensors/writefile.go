package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// WriteFile writes a safetensors file so that path never holds half of one: it writes beside it under a temporary name, waits
// until the bytes are on disk, and renames. After an error (a full disk, say) an older file at path is as it was.
func WriteFile(path string, tensors []Tensor, metadata map[string]string) (err error) {
	dir := filepath.Dir(path)
	f, err := createBeside(path)
	if err != nil {
		return fmt.Errorf("%s: making a temporary file beside it: %w; check that the folder exists and may be written to", path, cause(err))
	}
	defer func() {
		if err != nil {
			f.Close() // closing twice is harmless: its error is not looked at
			os.Remove(f.Name())
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	if err := Write(f, tensors, metadata); err != nil {
		return diskFull(err)
	}
	if err := f.Sync(); err != nil {
		return diskFull(fmt.Errorf("waiting for the disk: %w", err))
	}
	if err := f.Close(); err != nil {
		return diskFull(fmt.Errorf("closing: %w", err))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("giving the finished file its name: %w", err)
	}
	// From here on the new file stands; only a power failure could still undo the rename.
	return syncFolder(dir)
}

// createBeside makes a new file in the folder of path, with the permissions that an ordinary new file has.
func createBeside(path string) (*os.File, error) {
	for i := 0; ; i++ {
		name := path + ".tmp-" + strconv.Itoa(os.Getpid()) + "-" + strconv.Itoa(i)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) || i == 1000 {
			return f, err
		}
	}
}

func diskFull(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w; free some space on this disk or choose another folder", err)
	}
	return err
}

// syncFolder makes the rename last. Some file systems cannot sync a folder; there the rename is as safe as it gets.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening the folder to sync it: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("waiting for the disk to keep the folder: %w", err)
	}
	return nil
}
