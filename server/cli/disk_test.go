//go:build linux

package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"hone/core/checkpoint"
	"hone/core/safetensors"
)

// TestUnwritableOutput names the directory that cannot be written to.
func TestUnwritableOutput(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "rows.jsonl", rowsOf(6, 256, 6, 20, 1))
	writeFile(t, dir, "afile", "precious")
	for _, output := range []string{"afile", "/proc/nowhere", filepath.Join("afile", "below")} {
		out, status := hone(t, dir, "sft", "--model", tinyLlama(), "--dataset", "rows.jsonl", "--max_steps", "1", "--output_dir", output)
		if status != 1 || !strings.Contains(out, strings.TrimSuffix(output, "/below")) {
			t.Errorf("--output_dir %s: exit status %d: %s", output, status, out)
		}
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "afile")); err != nil || string(raw) != "precious" {
		t.Errorf("the file in the place of the output directory is now %q (%v)", raw, err)
	}
	if os.Getuid() != 0 { // root may write everywhere
		locked := filepath.Join(dir, "locked")
		if err := os.Mkdir(locked, 0o555); err != nil {
			t.Fatal(err)
		}
		out, status := hone(t, dir, "sft", "--model", tinyLlama(), "--dataset", "rows.jsonl", "--max_steps", "1", "--output_dir", "locked")
		if status != 1 || !strings.Contains(out, "permission") || !strings.Contains(out, "output_dir") {
			t.Errorf("a read-only directory: exit status %d: %s", status, out)
		}
	}
}

// smallDisk gives a directory on a file system of so many bytes. Without the right to mount one it skips the test; the
// limit on file sizes stands in for a full disk there (TestFileTooLarge).
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("no file system can be mounted here (%v); TestFileTooLarge fails writes in another way", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
	return dir
}

// TestFullDisk fills the disk at several sizes, so that it is full in the first checkpoint, in a later one, or in the log.
// Every time the program says so, and what was saved before can be gone on from, once there is room, to the very end that
// a run with room reaches.
func TestFullDisk(t *testing.T) {
	work := t.TempDir()
	args := resumeArgs(t, work, []string{"--train_type", "lora", "--lora_rank", "8", "--lora_dropout", "0.1", "--logging_steps", "1", "--max_steps", "9"})
	if out, status := hone(t, work, append(args, "--output_dir", "whole")...); status != 0 {
		t.Fatal(out)
	}
	want := onlyRun(t, filepath.Join(work, "whole"))
	full := 0
	for _, size := range []int{8 << 10, 120 << 10, 400 << 10, 640 << 10} {
		disk := smallDisk(t, size)
		out, status := hone(t, work, append(args, "--output_dir", disk)...)
		if status == 0 {
			t.Errorf("%d bytes were enough; the test needs less", size)
			continue
		}
		if status != 1 || !strings.Contains(out, "no space left on device") || !strings.Contains(out, "free some space") {
			t.Errorf("a disk of %d bytes: exit status %d, which does not say what to do:\n%s", size, status, out)
		}
		full++
		runs := runDirs(t, disk)
		if len(runs) == 0 {
			continue
		}
		saved := checkpoints(t, runs[0])
		for _, c := range saved {
			if _, err := checkpoint.Load(filepath.Join(runs[0], c)); err != nil {
				t.Errorf("what was saved before is damaged: %v", err)
			}
		}
		if len(saved) == 0 {
			continue
		}
		roomy := filepath.Join(t.TempDir(), "run")
		copyDir(t, runs[0], roomy)
		if out, status := hone(t, work, "sft", "--resume_from_checkpoint", roomy); status != 0 {
			t.Errorf("going on from %v: exit status %d:\n%s", saved, status, out)
			continue
		}
		sameRun(t, want, roomy)
	}
	if full < 3 {
		t.Errorf("the disk was full in %d runs only", full)
	}
}

// TestFileTooLarge limits the size of files, as ulimit -f does: the weights' file cannot be written.
func TestFileTooLarge(t *testing.T) {
	dir := t.TempDir()
	args := resumeArgs(t, dir, []string{"--train_type", "lora", "--lora_rank", "64", "--max_steps", "6", "--save_steps", "2", "--output_dir", "out"})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "sh", append([]string{"-c", "ulimit -f 100; exec \"$0\" \"$@\"", self}, args...)...) // 100 blocks of 512 bytes
	c.Env, c.Dir = append(os.Environ(), asCommand+"=1"), dir
	out, status := finish(t, c)
	if status != 1 || !strings.Contains(out, "checkpoint-2") || !strings.Contains(out, "file too large") {
		t.Errorf("exit status %d:\n%s", status, out)
	}
	if left := checkpoints(t, onlyRun(t, filepath.Join(dir, "out"))); len(left) != 0 {
		t.Errorf("there are the checkpoints %v, none of which could be whole", left)
	}
}

// TestDivergence drives runs into infinity. The program stops, names step and rows, and keeps a State of finite numbers.
func TestDivergence(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "rows.jsonl", rowsOf(12, 256, 6, 20, 1))
	for _, c := range [][]string{
		{"--train_type", "full", "--optim", "sgd", "--learning_rate", "1000", "--weight_decay", "1000"},
		{"--train_type", "full", "--learning_rate", "1000", "--weight_decay", "1000"},
		{"--train_type", "lora", "--learning_rate", "1000", "--weight_decay", "1000"},
		{"--train_type", "full", "--learning_rate", "1000", "--weight_decay", "1000", "--split_dataset_ratio", "0.2", "--eval_steps", "1"},
		{"--train_type", "qlora", "--optim", "sgd", "--learning_rate", "1000", "--weight_decay", "1000", "--save_steps", "1"},
	} {
		t.Run(strings.Join(c[:5], " "), func(t *testing.T) {
			output := t.TempDir()
			out, status := hone(t, dir, append([]string{"sft", "--model", tinyLlama(), "--dataset", "rows.jsonl", "--max_steps", "200", "--max_grad_norm", "0", "--lr_scheduler_type", "constant",
				"--gradient_accumulation_steps", "2", "--save_steps", "3", "--output_dir", output}, c...)...)
			last := out[strings.LastIndex(out, "hone: ")+1:]
			if status != 1 || !regexp.MustCompile(`step \d+: .*(NaN|Inf)`).MatchString(last) || !regexp.MustCompile(`rows? \d+`).MatchString(last) || !strings.Contains(last, "learning_rate") {
				t.Fatalf("exit status %d:\n%s", status, out)
			}
			run := onlyRun(t, output)
			saved := checkpoints(t, run)
			if len(saved) == 0 || !slices.ContainsFunc(saved, func(c string) bool { return strings.Contains(last, filepath.Join(run, c)) }) {
				t.Fatalf("the checkpoints are %v, and the message names none of them: %s", saved, last)
			}
			for _, c := range saved {
				if _, err := checkpoint.Load(filepath.Join(run, c)); err != nil {
					t.Error(err)
				}
				finiteFiles(t, filepath.Join(run, c))
			}
			for _, line := range numbers(t, run) {
				if strings.Contains(line, "null") {
					t.Errorf("the log has the line %s", line)
				}
			}
		})
	}
}

// finiteFiles fails when a tensor of a checkpoint holds NaN or infinity.
func finiteFiles(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no tensors (%v)", dir, err)
	}
	for _, path := range files {
		f, err := safetensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, info := range f.Tensors() {
			v := make([]float32, info.Shape.Elements())
			if err := f.ReadF32(info.Name, v); err != nil {
				t.Fatal(err)
			}
			for i, x := range v {
				if x-x != 0 {
					t.Errorf("%s: element %d of %s is %v", path, i, info.Name, x)
					break
				}
			}
		}
	}
}
