package checkpoint

import (
	"errors"
	"fmt"
	"path/filepath"

	"hone/core/filelock"
)

// lockFile is in a run directory while a process works in it.
const lockFile = ".lock"

// RunOf is the run directory that a path means: itself, or the one around a checkpoint.
func RunOf(path string) (Run, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Run{}, err
	}
	if _, ok := StepOf(filepath.Base(abs)); ok {
		abs = filepath.Dir(abs)
	}
	return Run{abs}, nil
}

// Lock keeps other processes from going on with the run until release is called or this process ends, in whatever way.
func (r Run) Lock() (release func(), err error) {
	l, err := filelock.Try(filepath.Join(r.Dir, lockFile))
	var held *filelock.Held
	switch {
	case errors.As(err, &held):
		return nil, fmt.Errorf("%s is at work in %s; wait until it ends, or stop it, then go on", held.Who(), r.Dir)
	case err != nil:
		return nil, err
	}
	return func() { l.Release() }, nil
}
