package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// onDisk is called before every change to the disk. Tests make it fail from some moment on, as a full disk or a kill does.
var onDisk = func(op, path string) error { return nil }

func mkdir(path string) error {
	if err := onDisk("mkdir", path); err != nil {
		return err
	}
	return os.Mkdir(path, 0o777)
}

func rename(from, to string) error {
	if err := onDisk("rename", to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func removeAll(path string) error {
	if err := onDisk("remove", path); err != nil {
		return err
	}
	return os.RemoveAll(path)
}

// create writes a new file and waits until it is on disk.
func create(path string, data []byte) error {
	if err := onDisk("create", path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncFile waits until a file that somebody else wrote is on disk.
func syncFile(path string) error {
	if err := onDisk("sync", path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncDir makes the renames in a directory last. Where the file system cannot do that, a rename is as safe as it gets.
func syncDir(path string) error {
	if err := onDisk("syncdir", path); err != nil {
		return err
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// replace gives a small file new content so that it is never half old, half new.
func replace(path string, data []byte) error {
	dir, name := filepath.Split(path)
	tmp := filepath.Join(dir, tmpPrefix+name)
	err := create(tmp, data)
	if err == nil {
		err = rename(tmp, path)
	}
	if err == nil {
		err = syncDir(filepath.Clean(dir))
	}
	if err != nil {
		removeAll(tmp)
		return fmt.Errorf("writing %s: %w", path, explain(err))
	}
	return nil
}

// explain adds to an error what can be done about it.
func explain(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w; free some space on this disk or choose another output_dir", err)
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; choose an output_dir that may be written to", err)
	}
	return err
}

// readSmall reads a file that is JSON of modest size, and refuses one that cannot be.
func readSmall(path string) ([]byte, error) {
	const limit = 64 << 20
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%s is larger than %d MiB; that is not the file it should be", path, limit>>20)
	}
	return data, nil
}
