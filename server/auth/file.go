package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"hone/core/atomicfile"
	"hone/core/filelock"
)

// file is a small JSON file in a server's data directory. Commands change it while a server reads it, each under a lock; a change holds
// from the next request on.
type file[T any] struct {
	path    string
	damaged string // what it means that the file cannot be read

	reading sync.Mutex
	read    fs.FileInfo // of the file as value holds it
	value   T
}

// get is what the file holds, the zero value without one. It belongs to all who read it.
func (f *file[T]) get() (T, error) {
	f.reading.Lock()
	defer f.reading.Unlock()
	var none T
	st, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.value, f.read = none, nil
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("auth: %w", err)
	}
	// A change renames a new file into place, so it is another file, even within one tick of the clock.
	if f.read != nil && os.SameFile(st, f.read) && st.ModTime().Equal(f.read.ModTime()) && st.Size() == f.read.Size() {
		return f.value, nil
	}
	value, err := f.parse()
	if err != nil {
		return none, err
	}
	f.value, f.read = value, st
	return value, nil
}

func (f *file[T]) parse() (value T, err error) {
	raw, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return value, nil
	}
	if err != nil {
		return value, fmt.Errorf("auth: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&value); err != nil {
		return value, fmt.Errorf("auth: %s: %w; %s", f.path, err, f.damaged)
	}
	return value, nil
}

// change rewrites the file, alone among all processes.
func (f *file[T]) change(how func(T) (T, error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	lock, err := filelock.Wait(ctx, f.path+".lock", nil)
	if err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	defer lock.Release()
	value, err := f.parse()
	if err == nil {
		value, err = how(value)
	}
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(f.path, append(raw, '\n'), 0o600); err != nil { // for its owner's eyes only
		return fmt.Errorf("auth: writing %s: %w", f.path, err)
	}
	return nil
}
