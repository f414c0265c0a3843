package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/checkpoint"
)

// TestHelpNamesEveryFlag wants every flag that users of ms-swift and Hugging Face expect, with its default.
func TestHelpNamesEveryFlag(t *testing.T) {
	out, status := hone(t, t.TempDir(), "sft", "--help")
	if status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	// Where a default is no constant, the words that say what it hangs on.
	for flag, value := range map[string]string{"model": "", "dataset": "", "train_type": "default lora", "adapter": "", "lora_rank": "default 8", "lora_alpha": "default 32", "lora_dropout": "default 0.05",
		"lora_target_modules": "default all-linear", "use_rslora": "default false", "freeze_parameters": "", "per_device_train_batch_size": "default 1", "gradient_accumulation_steps": "16 rows",
		"num_train_epochs": "default 3", "max_steps": "default -1", "max_length": "model's own limit", "learning_rate": "1e-4", "lr_scheduler_type": "default cosine", "warmup_steps": "warmup_ratio",
		"warmup_ratio": "default 0", "weight_decay": "default 0.1", "adam_beta1": "default 0.9", "adam_beta2": "default 0.95", "adam_epsilon": "default 1e-8", "max_grad_norm": "default 1",
		"optim": "default adamw", "dataset_shuffle": "default true", "seed": "default 42", "split_dataset_ratio": "default 0", "eval_steps": "save_steps", "save_steps": "default 500",
		"save_total_limit": "default 0", "logging_steps": "default 5", "load_best_model_at_end": "default false", "early_stop_interval": "default 0", "resume_from_checkpoint": "",
		"gradient_checkpointing": "default true", "packing": "default false", "device": "default auto", "output_dir": "default output", "log_format": "default auto",
		"val_dataset": "", "columns": "", "template": "default auto", "truncation_strategy": "default delete", "train_on_prompt": "default false", "mask_history": "default false", "train_dataset_sample": "default -1",
		"val_dataset_sample": "default -1", "interleave_prob": "", "stopping_strategy": "first_exhausted", "neftune_noise_alpha": "default 0", "preview": ""} {
		_, after, found := strings.Cut(out, "\n  --"+flag+" ")
		if !found {
			t.Errorf("help lacks --%s", flag)
			continue
		}
		entry, _, _ := strings.Cut(after, "\n  --")
		if text := strings.Join(strings.Fields(entry), " "); !strings.Contains(text, value) || len(text) < 20 {
			t.Errorf("--%s is explained as %q, want %q in it", flag, text, value)
		}
	}
}

// settings runs one step and gives back the recipe that the run recorded.
func settings(t *testing.T, args ...string) map[string]any {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir, "rows.jsonl", rowsOf(8, 256, 6, 20, 1))
	if out, status := hone(t, dir, append([]string{"sft", "--dataset", "rows.jsonl", "--output_dir", "out", "--max_steps", "1"}, args...)...); status != 0 {
		t.Fatalf("%v: exit status %d:\n%s", args, status, out)
	}
	var m map[string]any
	raw, err := os.ReadFile(filepath.Join(onlyRun(t, filepath.Join(dir, "out")), "args.json"))
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSpellings gives settings under all the names that users know, and looks at what the run recorded.
func TestSpellings(t *testing.T) {
	model := tinyLlama()
	for _, c := range []struct {
		args []string
		want map[string]any
	}{
		{[]string{"--model", model, "--per-device-train-batch-size", "3", "--lora-rank=2", "--learning-rate=5e-4"}, map[string]any{"per_device_train_batch_size": 3.0, "lora_rank": 2.0, "learning_rate": 5e-4}},
		{[]string{"--model_id_or_path", model, "--sft_type", "qlora", "--batch_size", "2", "--lora_r", "3", "--lora_dropout_p", "0.2", "--target_modules", "q_proj, v_proj"},
			map[string]any{"train_type": "qlora", "per_device_train_batch_size": 2.0, "lora_rank": 3.0, "lora_dropout": 0.2, "lora_target_modules": []any{"q_proj", "v_proj"}}},
		{[]string{"--model_name_or_path", model, "--finetuning_type", "full", "--cutoff_len", "64", "--val_size", "0.25"}, map[string]any{"train_type": "full", "max_length": 64.0, "split_dataset_ratio": 0.25, "learning_rate": 1e-5}},
		{[]string{"--model", model, "--packing", "--dataset_shuffle", "false", "--use_rslora=yes", "--gradient_checkpointing", "off"},
			map[string]any{"packing": true, "dataset_shuffle": false, "use_rslora": true, "gradient_checkpointing": false}},
		{[]string{"--model", model, "--packing", "--lora_target_modules", "ALL", "--optim", "adamw_torch"},
			map[string]any{"packing": true, "optim": "adamw", "lora_target_modules": []any{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}}},
		{[]string{"--model", model, "--lora_rank", "4", "--lora_rank", "6"}, map[string]any{"lora_rank": 6.0}},
		{[]string{"--model", model, "--adapter", golden("tiny_lora/adapter_init")}, map[string]any{"lora_rank": 4.0, "lora_alpha": 8.0, "use_rslora": false, "lora_dropout": 0.0}},
		{[]string{"--model", model, "--adapter", golden("tiny_lora/adapter_init"), "--lora_rank", "4", "--lora_target_modules", "all-linear"}, map[string]any{"lora_rank": 4.0, "lora_alpha": 8.0}},
	} {
		got := settings(t, c.args...)
		for name, want := range c.want {
			if g, _ := json.Marshal(got[name]); string(g) != string(must(json.Marshal(want))) {
				t.Errorf("%v: %s is %s, want %v", c.args, name, g, want)
			}
		}
	}
}

func must(raw []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return raw
}

// TestWarmup reads the learning rates of a run: warmup_ratio, and warmup_steps that overrides it even when it is 0.
func TestWarmup(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--warmup_ratio", "0.5"}, "[0 0.5 1 1]"},
		{[]string{"--warmup_ratio", "0.5", "--warmup_steps", "0"}, "[1 1 1 1]"},
		{[]string{"--warmup_steps", "4", "--warmup_ratio", "0"}, "[0 0.25 0.5 0.75]"},
		{[]string{"--warmup_steps", "-1", "--warmup_ratio", "0.26"}, "[0 0.5 1 1]"},
	} {
		writeFile(t, dir, "rows.jsonl", rowsOf(8, 256, 6, 20, 1))
		output := t.TempDir()
		out, status := hone(t, dir, append([]string{"sft", "--model", tinyLlama(), "--dataset", "rows.jsonl", "--output_dir", output, "--max_steps", "4", "--logging_steps", "1", "--learning_rate", "1",
			"--lr_scheduler_type", "constant_with_warmup", "--weight_decay", "0"}, c.args...)...)
		if status != 0 {
			t.Fatal(out)
		}
		var rates []float64
		for _, line := range numbers(t, onlyRun(t, output)) {
			var m struct {
				Rate float64 `json:"learning_rate"`
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			rates = append(rates, m.Rate)
		}
		if got := fmt.Sprint(rates); got != c.want {
			t.Errorf("%v: learning rates %s, want %s", c.args, got, c.want)
		}
	}
}

// TestSavingFlags looks at which checkpoints are left, and at the State's best step.
func TestSavingFlags(t *testing.T) {
	dir := t.TempDir()
	args := resumeArgs(t, dir, []string{"--split_dataset_ratio", "0.2", "--eval_steps", "2", "--max_steps", "20", "--lr_scheduler_type", "constant", "--load_best_model_at_end", "--save_total_limit", "1",
		"--early_stop_interval", "2", "--weight_decay", "0", "--log_format", "json", "--output_dir", "out"})
	for i, a := range args {
		if a == "--learning_rate" {
			args[i+1] = "0.03" // learns the training rows by heart: the held-out loss soon rises
		}
	}
	out, status := hone(t, dir, args...)
	if status != 0 {
		t.Fatal(out)
	}
	run := onlyRun(t, filepath.Join(dir, "out"))
	saved := checkpoints(t, run)
	best, worse, lowest, stopped := 0, 0, 0.0, 0
	for line := range strings.Lines(out) {
		var e struct {
			Event string
			Data  struct {
				Step               int
				EvalLoss           float64 `json:"eval_loss"`
				Directory, Stopped string
			}
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		switch e.Event {
		case "evaluated":
			if e.Data.Step == 0 {
				continue
			}
			if best == 0 || e.Data.EvalLoss < lowest {
				best, lowest, worse = e.Data.Step, e.Data.EvalLoss, 0
			} else {
				worse++
			}
		case "finished":
			stopped = e.Data.Step
			if want := filepath.Join(run, fmt.Sprintf("checkpoint-%d", best)); e.Data.Directory != want {
				t.Errorf("the result is in %s, want the best, %s", e.Data.Directory, want)
			}
			if e.Data.Stopped == "" {
				t.Error("the run did not stop early")
			}
		}
	}
	if stopped == 0 || stopped == 20 || worse != 2 {
		t.Errorf("stopped after step %d with %d evaluations without a lower loss, want an early stop after 2", stopped, worse)
	}
	want := []string{fmt.Sprintf("checkpoint-%d", best), fmt.Sprintf("checkpoint-%d", stopped)}
	slices.Sort(want)
	slices.Sort(saved)
	if !slices.Equal(saved, want) {
		t.Errorf("checkpoints %v are left, want the best and the last: %v", saved, want)
	}
	s, err := checkpoint.Load(filepath.Join(run, fmt.Sprintf("checkpoint-%d", stopped)))
	if err != nil {
		t.Fatal(err)
	}
	if s.BestStep != best || s.BestMetric == nil || *s.BestMetric != lowest {
		t.Errorf("the State has best step %d, want %d with loss %v", s.BestStep, best, lowest)
	}
}

// TestIdleAdapterIsSaid trains with learning rate 0, and with nothing that an adapter could learn from.
func TestIdleAdapterIsSaid(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "rows.jsonl", rowsOf(8, 256, 6, 20, 1))
	for _, method := range []string{"lora", "qlora"} {
		out, status := hone(t, dir, "sft", "--model", tinyLlama(), "--dataset", "rows.jsonl", "--train_type", method, "--learning_rate", "0", "--max_steps", "2", "--output_dir", "out")
		if status != 0 || !strings.Contains(out, "warning: THE ADAPTER DOES NOTHING") || !strings.Contains(out, "lora_B") {
			t.Errorf("%s with learning rate 0: exit status %d:\n%s", method, status, out)
		}
		out, status = hone(t, dir, "sft", "--model", tinyLlama(), "--dataset", "rows.jsonl", "--train_type", method, "--learning_rate", "0.01", "--max_steps", "2", "--output_dir", "out")
		if status != 0 || strings.Contains(out, "THE ADAPTER") {
			t.Errorf("%s that learns: exit status %d:\n%s", method, status, out)
		}
	}
}
