//go:build !js

package filelock

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const holdEnv = "HONE_TEST_HOLD_LOCK"

// TestMain lets the test binary be another process that holds a lock until it is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv(holdEnv); path != "" {
		if _, err := Try(path); err != nil {
			os.Stdout.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Stdout.WriteString("held\n")
		time.Sleep(time.Minute)
	}
	os.Exit(m.Run())
}

func TestOneHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".lock")
	l, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Try(path)
	var held *Held
	if !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Fatalf("the second lock gives %v, want Held by %d", err, os.Getpid())
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
	l, err = Try(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	waited := 0
	if _, err := Wait(ctx, path, func(*Held) { waited++ }); !errors.Is(err, context.DeadlineExceeded) || waited != 1 {
		t.Errorf("waiting gives %v after %d calls", err, waited)
	}
}

// TestDeadHolder kills a process that holds the lock: its file stays and locks nothing.
func TestDeadHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".lock")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), holdEnv+"="+path)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "held\n" {
		t.Fatalf("%q, %v", line, err)
	}
	_, err = Try(path)
	var held *Held
	if !errors.As(err, &held) || held.PID != c.Process.Pid || !strings.Contains(err.Error(), path) {
		t.Fatalf("%v, want Held by %d", err, c.Process.Pid)
	}
	c.Process.Kill()
	c.Wait()
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	l, err := Try(path)
	if err != nil {
		t.Fatalf("the lock of a dead process is not free: %v", err)
	}
	l.Release()
}

func TestManyWaiters(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".lock")
	var inside, most atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			l, err := Wait(t.Context(), path, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if n := inside.Add(1); n > 1 {
				most.Store(n)
			}
			time.Sleep(time.Millisecond)
			inside.Add(-1)
			if err := l.Release(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > 1 {
		t.Errorf("%d held the lock at once", most.Load())
	}
}
