package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRunLock(t *testing.T) {
	run, err := Create(t.TempDir(), "m", "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	release, err := run.Lock()
	if err != nil {
		t.Fatal(err)
	}
	other, err := RunOf(filepath.Join(run.Dir, "checkpoint-3"))
	if err != nil || other != run {
		t.Fatalf("%v, %v", other, err)
	}
	if _, err := other.Lock(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d is at work in %s", os.Getpid(), run.Dir)) {
		t.Errorf("a second lock: %v", err)
	}
	release()
	// What a dead process leaves is only a file.
	if err := os.WriteFile(filepath.Join(run.Dir, lockFile), []byte("1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	release, err = other.Lock()
	if err != nil {
		t.Fatalf("a stale lock: %v", err)
	}
	release()
	if _, err := os.Stat(filepath.Join(run.Dir, lockFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock's file is left: %v", err)
	}
	if _, err := (Run{filepath.Join(run.Dir, "nowhere")}).Lock(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a run that is not there: %v", err)
	}
}
