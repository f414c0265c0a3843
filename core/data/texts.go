package data

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// Texts gives the raw texts of files one after the other, for training a tokenizer: the parts of .txt files, cut at line
// ends, and the text column of JSON rows. The first error ends the walk and is put into *failed.
func Texts(files []string, failed *error) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, name := range files {
			more, err := texts(name, yield)
			if err != nil {
				*failed = err
			}
			if err != nil || !more {
				return
			}
		}
	}
}

func texts(name string, yield func(string) bool) (more bool, err error) {
	f, err := os.Open(name)
	if err != nil {
		return false, fmt.Errorf("data: %w", err)
	}
	defer f.Close()
	s := newScanner(f, name, 0)
	if strings.HasSuffix(strings.ToLower(name), ".txt") {
		if err := s.start(); err != nil {
			return false, err
		}
		for {
			line, err := s.r.ReadString('\n')
			if line != "" && !yield(strings.TrimRight(line, "\r\n")) {
				return false, nil
			}
			if err == io.EOF {
				return true, nil
			}
			if err != nil {
				return false, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	more = true
	err = s.rows(func(row int, at position, raw []byte) error {
		if err := check(name, row, at, raw); err != nil {
			return err
		}
		var r struct{ Text string }
		if err := json.Unmarshal(raw, &r); err != nil || r.Text == "" {
			return &Error{File: name, Row: row, Line: at.line, Shape: true, What: `the row has no "text"; a tokenizer is trained on .txt files or rows {"text": …}`}
		}
		more = more && yield(r.Text)
		return nil
	})
	return more, err
}
