package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hone/core/checkpoint"
)

// service is `hone serve` as a process of its own, with its workers.
type service struct {
	t    *testing.T
	dir  string
	args []string
	cmd  *exec.Cmd
	url  string
	log  logFile

	missed bool // see wait
}

// startService starts it; once started, it can be killed and started again at the same address.
func startService(t *testing.T, dir string, args ...string) *service {
	t.Helper()
	s := &service{t: t, dir: dir, args: args}
	s.start()
	t.Cleanup(func() {
		s.kill(syscall.SIGKILL)
		for end := time.Now().Add(time.Minute); time.Now().Before(end) && s.survives(); time.Sleep(20 * time.Millisecond) { // workers, which write into its directory
		}
	})
	return s
}

// logFile is what server and workers have said. It is a file, not a pipe that has no end before the last worker of a killed server has ended.
type logFile string

func (l logFile) String() string {
	raw, err := os.ReadFile(string(l))
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// survives reports whether a process of the service, or of one that was killed, is still there.
func (s *service) survives() bool {
	list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	return slices.ContainsFunc(list, func(path string) bool {
		raw, _ := os.ReadFile(path)
		return bytes.Contains(raw, []byte(filepath.Join(s.dir, "data")+"\x00"))
	})
}

func (s *service) start() {
	s.t.Helper()
	addr := "127.0.0.1:0"
	if s.url != "" {
		addr = strings.TrimPrefix(s.url, "http://")
	}
	s.cmd = process(s.t, s.dir, append([]string{"serve", "--addr", addr, "--data_dir", filepath.Join(s.dir, "data"), "--device", "cpu"}, s.args...)...)
	s.log = logFile(filepath.Join(s.dir, "log"))
	log, err := os.OpenFile(string(s.log), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.cmd.Wait()
		s.t.Fatalf("the server says %q: %v\n%s", line, err, s.log)
	}
	s.url = strings.TrimSpace(strings.TrimPrefix(line, "Hone is at "))
}

// kill ends the server by a signal and waits for its end.
func (s *service) kill(signal syscall.Signal) {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Signal(signal)
	s.cmd.Wait()
	s.cmd = nil
}

// workers are the processes of the workers that the server has started.
func (s *service) workers() (pids []int) {
	list, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	for _, path := range list {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var pid, parent int
		var state string
		_, after, _ := bytes.Cut(raw, []byte(") "))
		if _, err := fmt.Sscan(string(raw), &pid); err != nil {
			continue
		}
		if _, err := fmt.Sscan(string(after), &state, &parent); err == nil && parent == s.cmd.Process.Pid && state != "Z" {
			pids = append(pids, pid)
		}
	}
	return pids
}

// sample is a recipe of some steps on a small random model.
func sample(steps int, more ...string) []string {
	return append([]string{"sft", "--model", tinyLlama(), "--dataset", golden("tiny_lora") + "/dataset.jsonl", "--max_steps", fmt.Sprint(steps),
		"--save_steps", "10", "--logging_steps", "1", "--gradient_accumulation_steps", "4", "--device", "cpu"}, more...)
}

// sameResult compares two run directories: losses of all steps, each once, and the last adapter.
func sameResult(t *testing.T, want, got string, steps int) {
	t.Helper()
	sameNumbers(t, want, got, steps, checkpoint.AdapterTensors, checkpoint.AdapterFile, checkpoint.StateTensors)
}

// sameNumbers is sameResult for runs whose files have other names for their model: it compares some files of the last checkpoint.
func sameNumbers(t *testing.T, want, got string, steps int, files ...string) {
	t.Helper()
	read := func(dir string) map[int]float64 {
		lines, err := checkpoint.Run{Dir: dir}.ReadLog()
		if err != nil {
			t.Fatal(err)
		}
		out := map[int]float64{}
		for _, raw := range lines {
			var l struct {
				Step int      `json:"step"`
				Loss *float64 `json:"loss"`
			}
			if err := json.Unmarshal(raw, &l); err != nil {
				t.Fatal(err)
			}
			if l.Loss == nil {
				continue
			}
			if _, twice := out[l.Step]; twice {
				t.Errorf("%s: step %d is logged twice", dir, l.Step)
			}
			out[l.Step] = *l.Loss
		}
		return out
	}
	a, b := read(want), read(got)
	if len(a) != steps || len(b) != steps {
		t.Errorf("%d and %d steps are logged, want %d", len(a), len(b), steps)
	}
	for step, loss := range a {
		if b[step] != loss {
			t.Errorf("step %d: loss %v, want %v", step, b[step], loss)
		}
	}
	for _, name := range files {
		last := fmt.Sprintf("checkpoint-%d", steps)
		x, err := os.ReadFile(filepath.Join(want, last, name))
		y, err2 := os.ReadFile(filepath.Join(got, last, name))
		if err != nil || err2 != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs (%v, %v)", name, err, err2)
		}
	}
}

var stepLine = regexp.MustCompile(`(?m)^step (\d+)/`)

// A run moves to a server in its middle, and back, and ends at home: losses and adapter are those of a run that stayed.
func TestMoveUpAndBack(t *testing.T) {
	const steps = 150
	home := t.TempDir()
	if out, status := finish(t, process(t, home, sample(steps, "--output_dir", "whole")...)); status != 0 {
		t.Fatal(out)
	}
	events, _, status := stopAt(t, process(t, home, sample(steps, "--output_dir", "moved", "--log_format", "json")...), signalled{signal: syscall.SIGINT, events: 12})
	if status != 130 {
		t.Fatalf("status %d after %d events", status, len(events))
	}
	local := onlyRun(t, filepath.Join(home, "moved"))
	at := func() int {
		c, ok, err := checkpoint.Run{Dir: local}.Latest()
		if err != nil || !ok {
			t.Fatal(err)
		}
		return c.Step
	}
	left := at()
	if left >= steps/4 {
		t.Fatalf("it was stopped at step %d, too late", left)
	}
	s := startService(t, t.TempDir(), "--lease", "1s")
	out, status := finish(t, process(t, home, "move", local, "--remote", s.url, "--detach"))
	if status != 0 || !strings.Contains(out, fmt.Sprintf("goes on after step %d", left)) {
		t.Fatalf("%s\n%s", out, s.log)
	}
	id := filepath.Base(filepath.Dir(local)) + "/" + filepath.Base(local)
	// It is watched for a while, then stopped there.
	watch := process(t, home, "attach", id, "--remote", s.url)
	seen, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(seen)
	first, last := 0, 0
	for lines.Scan() {
		m := stepLine.FindStringSubmatch(lines.Text())
		var step int
		if m == nil {
			continue
		}
		fmt.Sscan(m[1], &step)
		if first == 0 {
			first = step
		}
		if step <= last {
			t.Errorf("who attaches sees step %d behind step %d", step, last)
		}
		if last = step; step >= left+10 {
			break
		}
	}
	watch.Process.Signal(syscall.SIGINT)
	watch.Wait()
	if first != 1 {
		t.Errorf("who attaches sees the run from step %d on", first)
	}
	if out, status := finish(t, process(t, home, "delete", id, "--remote", s.url)); status == 0 || !strings.Contains(out, "stop "+id) {
		t.Errorf("a run that goes on is deleted: %s", out)
	}
	if out, status := finish(t, process(t, home, "stop", id, "--remote", s.url)); status != 0 {
		t.Fatalf("%s\n%s", out, s.log)
	}
	out, status = finish(t, process(t, home, "runs", "--remote", s.url))
	if status != 0 || !strings.Contains(out, id) {
		t.Fatalf("%s\n%s", out, s.log)
	}
	if out, status := finish(t, process(t, home, "pull", id, "--remote", s.url, "--output_dir", "moved")); status != 0 {
		t.Fatalf("%s\n%s", out, s.log)
	}
	back := at()
	if back < left+10 || back >= steps {
		t.Fatalf("it came back at step %d", back)
	}
	if out, status := finish(t, process(t, home, "sft", "--resume_from_checkpoint", local, "--device", "cpu")); status != 0 {
		t.Fatal(out)
	}
	sameResult(t, onlyRun(t, filepath.Join(home, "whole")), local, steps)
	if out, status := finish(t, process(t, home, "delete", id, "--remote", s.url)); status != 0 || !regexp.MustCompile(`is deleted, \d+.* are free; you have \d+.* may have 50`).MatchString(out) {
		t.Errorf("%s\n%s", out, s.log)
	}
	if out, status := finish(t, process(t, home, "runs", "--remote", s.url)); status != 0 || strings.Contains(out, id) {
		t.Errorf("a deleted run is listed: %s", out)
	}
	t.Logf("here to step %d, there to step %d, here to step %d", left, back, steps)
	s.kill(syscall.SIGTERM)
}
