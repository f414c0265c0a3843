package filelock

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// These tests run in a worker of a headless browser: TestWebLocks of web/worker builds and drives them.

func TestWebLock(t *testing.T) {
	if _, err := Try("/none/.lock"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a lock in a missing directory gives %v", err)
	}
	if err := os.MkdirAll("/here", 0o777); err != nil {
		t.Fatal(err)
	}
	for range 3 { // a lock that was given back is free at once
		l, err := Try("/here/.lock")
		if err != nil {
			t.Fatal(err)
		}
		_, err = Try("/here/.lock")
		var held *Held
		if !errors.As(err, &held) || !strings.Contains(err.Error(), "another tab") {
			t.Errorf("the second lock gives %v", err)
		}
		if other, err := Try("/here/.other"); err != nil {
			t.Error(err)
		} else {
			other.Release()
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
}
