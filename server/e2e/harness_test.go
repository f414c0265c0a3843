//go:build !js

// Package e2e tests the page as its users have it: the program that `make build` makes serves it to a headless Chromium.
package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// hone is the program, built once for all tests.
var hone = sync.OnceValues(func() (string, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return "", err
	}
	at := filepath.Join(root, ".build", "e2e", "hone")
	for _, args := range [][]string{{".ci/page.sh", "-quality", "1"}, {"go", "build", "-o", at, "./server"}} {
		c := exec.Command(args[0], args[1:]...)
		c.Dir = root
		if out, err := c.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%v: %w\n%s", args, err, out)
		}
	}
	return at, nil
})

// command prepares the program with arguments, in a directory of its own.
func command(t testing.TB, dir string, args ...string) *exec.Cmd {
	t.Helper()
	program, err := hone()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, args...)
	c.Dir = dir
	return c
}

// output runs the program to its end and gives what it said.
func output(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := command(t, dir, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("hone %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// serving starts `hone serve` on a free port and gives the address that it prints, and a way to end it as Ctrl-C does.
func serving(t testing.TB, args ...string) (address string, stop func()) {
	t.Helper()
	program, err := hone()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...) // which ends later than the test's context
	c.Dir = t.TempDir()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	c.Stderr = &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		c.Process.Signal(syscall.SIGINT)
		if err := c.Wait(); err != nil {
			t.Errorf("hone serve ended with %v\n%s", err, &log)
		}
	})
	t.Cleanup(stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	go io.Copy(io.Discard, out)
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "Hone is at ")
	if err != nil || !ok {
		t.Fatalf("hone serve says %q (%v)\n%s", line, err, &log)
	}
	return address, stop
}

// write makes a file below the test's own directory.
func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// eventually waits until a condition holds.
func eventually(t testing.TB, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v: not yet %s", limit, what)
		}
	}
}
