package cli

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// resumeCases are runs whose resumption must give the bytes of the uninterrupted one. All have several epochs in a drawn
// order, and epochs whose last step has fewer micro-batches than the others.
var resumeCases = []struct {
	name string
	args []string
}{
	{"lora", []string{"--train_type", "lora", "--lora_rank", "4", "--lora_dropout", "0.1", "--split_dataset_ratio", "0.12", "--eval_steps", "2", "--logging_steps", "1", "--weight_decay", "0.1"}},
	{"qlora", []string{"--train_type", "qlora", "--lora_rank", "4", "--lora_dropout", "0.1", "--use_rslora", "--logging_steps", "1", "--gradient_checkpointing", "false"}},
	{"full", []string{"--train_type", "full", "--freeze_parameters", "model.embed_tokens,model.layers.0", "--split_dataset_ratio", "0.12", "--load_best_model_at_end", "--eval_steps", "2", "--logging_steps", "1", "--save_total_limit", "2"}},
	{"packing", []string{"--train_type", "lora", "--lora_dropout", "0.1", "--packing", "--max_length", "64", "--logging_steps", "1"}},
	{"sparse_log", []string{"--train_type", "lora", "--lora_dropout", "0.1", "--logging_steps", "4", "--lr_scheduler_type", "linear", "--warmup_steps", "3"}},
	{"mixed_rows", []string{"--train_type", "lora", "--lora_rank", "4", "--neftune_noise_alpha", "5", "--dataset", "rows.jsonl#40,rows.jsonl", "--interleave_prob", "0.6,0.4", "--val_dataset_sample", "3",
		"--eval_steps", "2", "--logging_steps", "1", "--truncation_strategy", "split", "--max_length", "24"}},
	{"sgd", []string{"--train_type", "full", "--optim", "sgd", "--logging_steps", "1", "--learning_rate", "0.05"}},
}

// resumeArgs is the command line of a case, with its rows in dir.
func resumeArgs(t *testing.T, dir string, more []string) []string {
	rows := writeFile(t, dir, "rows.jsonl", rowsOf(25, 256, 6, 40, 3))
	return append([]string{"sft", "--model", tinyLlama(), "--dataset", rows, "--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "2",
		"--num_train_epochs", "3", "--learning_rate", "0.001", "--save_steps", "3", "--seed", "11", "--device", "cpu"}, more...)
}

// TestKilledRunsGoOn kills runs with SIGKILL at moments drawn from a fixed seed, goes on, kills again, and compares the end
// with that of a run left alone.
func TestKilledRunsGoOn(t *testing.T) {
	killAndResume(t, 2, 1)
}

func killAndResume(t *testing.T, kills int, seed uint64) {
	for _, c := range resumeCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			args := resumeArgs(t, dir, append(slices.Clone(c.args), "--log_format", "json"))
			whole := process(t, dir, append(args, "--output_dir", "whole")...)
			out, status := finish(t, whole)
			if status != 0 {
				t.Fatalf("exit status %d:\n%s", status, out)
			}
			events := strings.Count(out, "\n")
			want := onlyRun(t, filepath.Join(dir, "whole"))
			r := rand.New(rand.NewPCG(seed, uint64(len(c.name))))
			resumed := 0
			for k := range kills {
				at := signalled{syscall.SIGKILL, events/4 + r.IntN(events*3/4), func() { time.Sleep(time.Duration(r.IntN(9000)) * time.Microsecond) }}
				t.Run(fmt.Sprintf("kill%d_event%d", k, at.events), func(t *testing.T) {
					output := fmt.Sprintf("killed%d", k)
					_, _, status := stopAt(t, process(t, dir, append(args, "--output_dir", output)...), at)
					run := onlyRun(t, filepath.Join(dir, output))
					for again := 0; status == -1 && again < 20; again++ {
						saved, err := filepath.Glob(filepath.Join(run, "checkpoint-*", "state.json"))
						if err != nil {
							t.Fatal(err)
						}
						next := process(t, dir, "sft", "--resume_from_checkpoint", run, "--log_format", "json")
						if len(saved) == 0 {
							out, code := finish(t, next)
							if code != 1 || !strings.Contains(out, "has no checkpoint") {
								t.Errorf("a run without a checkpoint: exit status %d: %s", code, out)
							}
							return
						}
						resumed++
						if again == 0 { // the second half of a kill: while it goes on
							_, _, status = stopAt(t, next, signalled{syscall.SIGKILL, 1 + r.IntN(6), at.pause})
							continue
						}
						var out string
						if out, status = finish(t, next); status != 0 {
							t.Fatalf("going on: exit status %d:\n%s", status, out)
						}
					}
					if status != 0 {
						t.Fatalf("exit status %d", status)
					}
					sameRun(t, want, run)
					if n := len(runDirs(t, filepath.Join(dir, output))); n != 1 {
						t.Errorf("%d run directories, want the one it began in", n)
					}
				})
			}
			if resumed == 0 {
				t.Error("no kill came after a checkpoint: the test proved nothing")
			}
		})
	}
}

// TestResumeFromEarlierCheckpoint goes back to a checkpoint in the middle of a run that has ended.
func TestResumeFromEarlierCheckpoint(t *testing.T) {
	dir := t.TempDir()
	args := resumeArgs(t, dir, resumeCases[0].args)
	for _, output := range []string{"whole", "again"} {
		if out, status := hone(t, dir, append(args, "--output_dir", output)...); status != 0 {
			t.Fatalf("exit status %d:\n%s", status, out)
		}
	}
	want, got := onlyRun(t, filepath.Join(dir, "whole")), onlyRun(t, filepath.Join(dir, "again"))
	sameRun(t, want, got) // the same recipe and seed give the same run
	// A sentinel in a later checkpoint shows that it was taken away and written anew.
	sentinel := writeFile(t, filepath.Join(got, "checkpoint-12"), "sentinel", "x")
	if out, status := hone(t, dir, "sft", "--resume_from_checkpoint", filepath.Join(got, "checkpoint-6")); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	if _, err := os.Stat(sentinel); err == nil {
		t.Error("checkpoint-12 was not removed before the run went on from checkpoint-6")
	}
	sameRun(t, want, got)
	// A finished run has nothing left to do, and says so by its end.
	before := numbers(t, got)
	if out, status := hone(t, dir, "sft", "--resume_from_checkpoint", got); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	if !slices.Equal(before, numbers(t, got)) {
		t.Error("resuming a finished run changed its log")
	}
	sameRun(t, want, got)
}

// TestResumeWithTheSameCommand adds --resume_from_checkpoint to the whole command line of the run, as many users do.
func TestResumeWithTheSameCommand(t *testing.T) {
	for _, targets := range []string{"all-linear", "q_proj,v_proj"} {
		dir := t.TempDir()
		args := resumeArgs(t, dir, []string{"--lora_target_modules", targets, "--max_length", "100", "--output_dir", "out"})
		if out, status := hone(t, dir, args...); status != 0 {
			t.Fatalf("exit status %d:\n%s", status, out)
		}
		run := onlyRun(t, filepath.Join(dir, "out"))
		if out, status := hone(t, dir, append(args, "--resume_from_checkpoint", filepath.Join(run, "checkpoint-3"))...); status != 0 {
			t.Errorf("targets %s: exit status %d:\n%s", targets, status, out)
		}
	}
}

// A run that gets more steps on the way keeps them: whoever goes on with it next, here or at a server, need not say so again.
func TestResumeKeepsItsEnd(t *testing.T) {
	dir := t.TempDir()
	if out, status := hone(t, dir, resumeArgs(t, dir, []string{"--max_steps", "2", "--output_dir", "out"})...); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	run := onlyRun(t, filepath.Join(dir, "out"))
	if out, status := hone(t, dir, "sft", "--resume_from_checkpoint", run, "--max_steps", "4"); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	if err := os.RemoveAll(filepath.Join(run, "checkpoint-4")); err != nil { // as if it had been killed before its end
		t.Fatal(err)
	}
	if out, status := hone(t, dir, "sft", "--resume_from_checkpoint", run); status != 0 {
		t.Errorf("exit status %d:\n%s", status, out)
	}
	if _, err := os.Stat(filepath.Join(run, "checkpoint-4")); err != nil {
		t.Errorf("it has another end: %v", err)
	}
}

// TestResumeRefusesOtherSettings names every setting that a run may not change half-way, and lets through those it may.
func TestResumeRefusesOtherSettings(t *testing.T) {
	dir := t.TempDir()
	args := resumeArgs(t, dir, []string{"--train_type", "lora", "--max_steps", "4", "--split_dataset_ratio", "0.1", "--output_dir", "out"})
	if out, status := hone(t, dir, args...); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	run := onlyRun(t, filepath.Join(dir, "out"))
	other := writeFile(t, dir, "other.jsonl", rowsOf(25, 256, 6, 40, 4))
	before := numbers(t, run)
	for _, change := range [][2]string{{"learning_rate", "0.002"}, {"lora_rank", "16"}, {"lora_alpha", "7"}, {"lora_dropout", "0.3"}, {"seed", "12"}, {"per_device_train_batch_size", "3"},
		{"gradient_accumulation_steps", "5"}, {"train_type", "qlora"}, {"weight_decay", "0"}, {"lr_scheduler_type", "linear"}, {"warmup_steps", "2"}, {"max_grad_norm", "2"}, {"optim", "sgd"},
		{"dataset_shuffle", "false"}, {"packing", "true"}, {"adam_beta2", "0.5"}, {"split_dataset_ratio", "0.3"}, {"lora_target_modules", "q_proj"}, {"max_length", "20"},
		{"dataset", other}, {"model", dir}} {
		out, status := hone(t, dir, "sft", "--resume_from_checkpoint", run, "--"+change[0], change[1])
		if status == 0 || !strings.Contains(out, change[0]) {
			t.Errorf("--%s %s: exit status %d, %q does not name it", change[0], change[1], status, out)
		}
	}
	if !slices.Equal(before, numbers(t, run)) {
		t.Fatal("a refused resumption changed the log")
	}
	// The data changed behind the same name.
	rows := filepath.Join(dir, "rows.jsonl")
	old, err := os.ReadFile(rows)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "rows.jsonl", rowsOf(25, 256, 6, 40, 5))
	if out, status := hone(t, dir, "sft", "--resume_from_checkpoint", run, "--max_steps", "6"); status == 0 || !strings.Contains(out, "data set's files") {
		t.Errorf("other data under the same name: exit status %d: %s", status, out)
	}
	writeFile(t, dir, "rows.jsonl", string(old))
	if out, status := hone(t, dir, "sft", "--resume_from_checkpoint", run, "--max_steps", "3"); status == 0 || !strings.Contains(out, "step 4") {
		t.Errorf("a last step behind the checkpoint: exit status %d: %s", status, out)
	}
	// What may change.
	out, status := hone(t, dir, "sft", "--resume_from_checkpoint", run, "--max_steps", "6", "--device", "auto", "--logging_steps", "2", "--save_steps", "5",
		"--eval_steps", "3", "--save_total_limit", "1", "--log_format", "plain", "--output_dir", filepath.Join(dir, "elsewhere"))
	if status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	if got := checkpoints(t, run); !slices.Contains(got, "checkpoint-6") {
		t.Errorf("checkpoints are %v, want checkpoint-6 among them, in the run's own directory", got)
	}
	if out, status = hone(t, dir, "sft", "--resume_from_checkpoint", run, "--max_steps", "-1", "--num_train_epochs", "1.5"); status != 0 {
		t.Errorf("exit status %d:\n%s", status, out)
	}
}

// TestInterruptedRunsGoOn sends SIGINT or SIGTERM at several moments, the first evaluation among them. The program saves,
// prints the command that goes on, and that command, given to a shell, ends as the run left alone does.
func TestInterruptedRunsGoOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a folder with spaces")
	args := resumeArgs(t, dir, []string{"--split_dataset_ratio", "0.6", "--lora_dropout", "0.1", "--eval_steps", "1", "--logging_steps", "1", "--max_steps", "9", "--log_format", "json",
		"--early_stop_interval", "50"})
	if out, status := hone(t, dir, append(args, "--output_dir", "whole")...); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	want := onlyRun(t, filepath.Join(dir, "whole"))
	bin := filepath.Join(dir, "bin")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(bin, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "hone")); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 5))
	for k, events := range []int{1, 2, 3, 4, 5, 7, 8, 9, 12} {
		output := fmt.Sprintf("stopped%d", k)
		at := signalled{[]syscall.Signal{syscall.SIGINT, syscall.SIGTERM}[k%2], events, func() { time.Sleep(time.Duration(r.IntN(3000)) * time.Microsecond) }}
		log, stderr, status := stopAt(t, process(t, dir, append(args, "--output_dir", output)...), at)
		if status != 130 {
			t.Errorf("after event %d: exit status %d, want 130: %s%s", events, status, strings.Join(log, ""), stderr)
			continue
		}
		var command string
		for line := range strings.Lines(stderr) {
			if strings.Contains(line, "--resume_from_checkpoint") {
				command = strings.TrimSpace(line)
			}
		}
		shell := exec.CommandContext(t.Context(), "sh", "-c", command)
		shell.Dir = t.TempDir()
		shell.Env = append(os.Environ(), asCommand+"=1", "PATH="+bin+":"+os.Getenv("PATH"))
		if out, status := finish(t, shell); status != 0 {
			t.Errorf("%q: exit status %d:\n%s", command, status, out)
			continue
		}
		run := onlyRun(t, filepath.Join(dir, output))
		if w, g := numbers(t, want), numbers(t, run); !slices.Equal(w, g) {
			t.Errorf("after event %d: logs differ: %s", events, firstDifference(w, g))
		}
		for _, f := range []string{"adapter_model.safetensors", "state.safetensors"} {
			sameFile(t, filepath.Join(want, "checkpoint-9", f), filepath.Join(run, "checkpoint-9", f))
		}
	}
}
