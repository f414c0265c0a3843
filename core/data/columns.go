package data

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// errFirst ends a walk after the first row.
var errFirst = errors.New("the first row is enough")

// Columns are the names of a file's first row, in its order. A text file has none.
func Columns(file string) ([]string, error) {
	if filepath.Ext(file) == ".txt" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	defer f.Close()
	var names []string
	err = newScanner(f, file, 0).rows(func(row int, at position, raw []byte) error {
		if err := check(file, row, at, raw); err != nil {
			return err
		}
		all, err := members(raw[skipSpace(raw, 0):])
		if err != nil {
			return &Error{File: file, Row: row, Line: at.line, Shape: true, What: err.Error()}
		}
		for _, c := range all {
			names = append(names, c.name)
		}
		return errFirst
	})
	if errors.Is(err, errFirst) {
		err = nil
	}
	return names, err
}
