package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asCommand makes the test binary be the program: a run that must be killed, or measured alone, is a process of its own.
const asCommand = "HONE_TEST_AS_COMMAND"

// asStubborn makes the test binary be a worker that does not end, whatever it is told.
const asStubborn = "HONE_TEST_AS_STUBBORN"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) == "1" {
		os.Exit(Main(os.Args[1:]))
	}
	if os.Getenv(asStubborn) == "1" {
		signal.Ignore(syscall.SIGTERM, os.Interrupt)
		fmt.Fprintln(os.Stderr, "a stubborn worker is there")
		time.Sleep(time.Minute) // so that a test that fails leaves nothing behind for long
		return
	}
	if dir := os.Getenv(asEngine); dir != "" {
		runEngine(dir)
		return
	}
	if home, err := os.MkdirTemp("", "hone-data-"); err == nil { // no test finds what this machine's own server keeps
		os.Setenv("HONE_DATA", home)
		defer os.RemoveAll(home)
	}
	os.Setenv("HONE_OFFLINE", "1") // a name that nobody has must not make a test ask the world; tests of hubs have one of their own
	m.Run()                        // its status is the test binary's
}

// process prepares the program as a process that starts in dir.
func process(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), asCommand+"=1")
	return c
}

// finish runs a process to its end and returns what it printed and its exit status.
func finish(t *testing.T, c *exec.Cmd) (string, int) {
	t.Helper()
	out, err := c.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}

// signalled is where a process gets a signal: after so many events of its JSON log, and a pause.
type signalled struct {
	signal syscall.Signal
	events int
	pause  func()
}

// stopAt runs a process with --log_format json and sends it the signal. It returns the events, what came on standard
// error, and the exit status, -1 when the signal ended it.
func stopAt(t *testing.T, c *exec.Cmd, at signalled) (events []string, stderr string, status int) {
	t.Helper()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	send := func() {
		if at.pause != nil {
			at.pause()
		}
		c.Process.Signal(at.signal) // a process that has ended is none to signal, and the test sees its status
	}
	if at.events == 0 {
		go send()
	}
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			events = append(events, line)
		}
		if len(events) == at.events && at.events > 0 && err == nil {
			go send()
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c.Wait() // the status tells all that its error would
	return events, errs.String(), c.ProcessState.ExitCode()
}

// packageDir is where the tests begin; some of them go elsewhere.
var packageDir, _ = os.Getwd()

// golden is a folder of testdata/golden.
func golden(name string) string {
	return filepath.Join(packageDir, "..", "..", "testdata", "golden", name)
}

// tinyLlama is the directory of the small random Llama that the repository has.
func tinyLlama() string { return golden("tiny_llama") }

// rowsOf makes pre-tokenised rows with ids below vocab, of lengths between shortest and longest; about a third of a row
// is prompt.
func rowsOf(n, vocab, shortest, longest int, seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 7))
	var b strings.Builder
	for range n {
		ids := make([]int, shortest+r.IntN(longest-shortest+1))
		labels := make([]int, len(ids))
		for i := range ids {
			ids[i] = r.IntN(vocab)
			if labels[i] = ids[i]; i < len(ids)/3 {
				labels[i] = -100
			}
		}
		raw, _ := json.Marshal(map[string][]int{"input_ids": ids, "labels": labels}) // lists of integers always encode
		b.Write(raw)
		b.WriteByte('\n')
	}
	return b.String()
}

// writeFile writes a file into dir and returns its path.
func writeFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// runDirs lists the run directories under an output directory, oldest first.
func runDirs(t *testing.T, output string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(output, "*", "v*-*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(dirs)
	return dirs
}

// onlyRun is the one run directory under an output directory.
func onlyRun(t *testing.T, output string) string {
	t.Helper()
	dirs := runDirs(t, output)
	if len(dirs) != 1 {
		t.Fatalf("there are %d run directories under %s, want one", len(dirs), output)
	}
	return dirs[0]
}

// checkpoints lists the names of the checkpoints in a run directory, and fails on half-written leftovers.
func checkpoints(t *testing.T, run string) []string {
	t.Helper()
	entries, err := os.ReadDir(run)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s has the leftover %s", run, e.Name())
		}
		if strings.HasPrefix(e.Name(), "checkpoint-") {
			names = append(names, e.Name())
		}
	}
	return names
}

// numbers is the log without what depends on time and machine.
func numbers(t *testing.T, run string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(run, "logging.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(raw)) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v in %q", run, err, line)
		}
		for _, key := range []string{"tokens_per_second", "memory", "elapsed", "remaining"} {
			delete(m, key)
		}
		short, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(short))
	}
	return out
}

// sameRun fails unless two runs have the same log, the same checkpoints, and in them the same bytes of weights and moments.
func sameRun(t *testing.T, want, got string) {
	t.Helper()
	if w, g := numbers(t, want), numbers(t, got); !slices.Equal(w, g) {
		t.Errorf("logs differ: %s", firstDifference(w, g))
	}
	names := checkpoints(t, want)
	if g := checkpoints(t, got); !slices.Equal(names, g) {
		t.Errorf("checkpoints are %v, want %v", g, names)
	}
	if len(names) == 0 {
		t.Error("there is no checkpoint to compare")
	}
	for _, name := range names {
		files, err := filepath.Glob(filepath.Join(want, name, "*.safetensors"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s/%s has no tensors (%v)", want, name, err)
		}
		for _, f := range files {
			sameFile(t, f, filepath.Join(got, name, filepath.Base(f)))
		}
	}
}

func sameFile(t *testing.T, want, got string) {
	t.Helper()
	w, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	g, err := os.ReadFile(got)
	if err != nil {
		t.Error(err)
		return
	}
	if !bytes.Equal(w, g) {
		t.Errorf("%s differs from the one of the uninterrupted run", got)
	}
}

func firstDifference(want, got []string) string {
	for i := range max(len(want), len(got)) {
		w, g := "nothing", "nothing"
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w != g {
			return fmt.Sprintf("line %d is %s, want %s", i+1, g, w)
		}
	}
	return "nowhere"
}
