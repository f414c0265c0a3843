package recipe

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/golden"
)

func parse(t *testing.T, line string) Recipe {
	t.Helper()
	r, err := Parse(strings.Fields(line))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return r
}

func wantError(t *testing.T, what string, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want one with %q", what, parts)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%s: error %q, want %q in it", what, err, p)
		}
	}
}

func TestDefaults(t *testing.T) {
	r := parse(t, "--model m --dataset d.jsonl")
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	want := Recipe{
		Model: "m", Hub: "auto", Dataset: []string{"d.jsonl"}, DatasetShuffle: true, Seed: 42,
		Template: "auto", TruncationStrategy: "delete", TrainDatasetSample: -1, ValDatasetSample: -1, StoppingStrategy: "first_exhausted",
		TrainType: "lora", LoRARank: 8, LoRAAlpha: 32, LoRADropout: 0.05, LoRATargetModules: []string{"all-linear"},
		PerDeviceTrainBatchSize: 1, GradientAccumulationSteps: 16, NumTrainEpochs: 3, MaxSteps: -1, GradientCheckpointing: true,
		Optim: "adamw", LearningRate: 1e-4, LRSchedulerType: "cosine", WarmupSteps: -1, WeightDecay: 0.1,
		AdamBeta1: 0.9, AdamBeta2: 0.95, AdamEpsilon: 1e-8, MaxGradNorm: 1,
		EvalSteps: 500, SaveSteps: 500, OutputDir: "output", Device: "auto", KernelVariant: "auto", Fallback: "none", LoggingSteps: 5, LogFormat: "auto",
		given: map[string]bool{"model": true, "dataset": true},
	}
	if !r.Equal(want) {
		t.Errorf("got  %+v\nwant %+v", r, want)
	}
	if r := parse(t, "--train_type full --save_steps 20 --batch_size 6"); r.LearningRate != 1e-5 || r.EvalSteps != 20 || r.GradientAccumulationSteps != 3 {
		t.Errorf("full: learning rate %v, evaluation every %d, %d batches a step; want 1e-5, 20, 3", r.LearningRate, r.EvalSteps, r.GradientAccumulationSteps)
	}
	if r := parse(t, "--batch_size 64"); r.GradientAccumulationSteps != 1 {
		t.Errorf("64 rows a batch: %d batches a step, want 1", r.GradientAccumulationSteps)
	}
}

func TestWarmup(t *testing.T) {
	for line, want := range map[string]int{
		"":                                    0,
		"--warmup_ratio 0.05":                 6,
		"--warmup_steps 0 --warmup_ratio 0.5": 0,
		"--warmup_ratio 0.5 --warmup_steps 7": 7,
		"--warmup_steps -1 --warmup_ratio 1":  101,
	} {
		if got := parse(t, line).Warmup(101); got != want {
			t.Errorf("%s: %d steps of 101, want %d", line, got, want)
		}
	}
}

func TestForms(t *testing.T) {
	r := parse(t, "--model=a=b --lora-rank 4 --lora_rank=16 --dataset x.json,y.json --max-steps 1e3 --learning_rate 2.5E-3 "+
		"--packing --dataset_shuffle False --use_rslora true --gradient_checkpointing=no --device_memory 1.5GiB --target_modules ALL")
	if r.Model != "a=b" || r.LoRARank != 16 || !slices.Equal(r.Dataset, []string{"x.json", "y.json"}) || r.MaxSteps != 1000 ||
		r.LearningRate != 2.5e-3 || !r.Packing || r.DatasetShuffle || !r.UseRSLoRA || r.GradientCheckpointing ||
		r.DeviceMemory != 3<<29 || !slices.Equal(r.LoRATargetModules, []string{AllLinear}) {
		t.Errorf("got %+v", r)
	}
	for _, name := range []string{"packing", "lora_rank", "lora_target_modules"} {
		if !r.Given(name) {
			t.Errorf("%s does not count as given", name)
		}
	}
	if r.Given("seed") || r.Given("eval_steps") {
		t.Error("settings at their default count as given")
	}
	if r := parse(t, "--packing"); !r.Packing {
		t.Error("a boolean at the end of the line is not true")
	}
	if r := parse(t, "--freeze_parameters="); r.FreezeParameters != nil {
		t.Errorf("an empty list gives %q", r.FreezeParameters)
	}
	if r := parse(t, "--optim adamw_torch"); r.Optim != "adamw" {
		t.Errorf("adamw_torch gives %q", r.Optim)
	}
	if r := parse(t, "--optim paged_adamw_32bit"); r.Optim != "paged_adamw" {
		t.Errorf("paged_adamw_32bit gives %q", r.Optim)
	}
}

func TestAliases(t *testing.T) {
	r := parse(t, "--sft-type qlora --lora_r 3 --batch_size 5 --model_id_or_path m --dataset_test_ratio 0.25 --cutoff_len 77 --lora_dropout_p 0")
	if r.TrainType != "qlora" || r.LoRARank != 3 || r.PerDeviceTrainBatchSize != 5 || r.Model != "m" || r.SplitDatasetRatio != 0.25 ||
		r.MaxLength != 77 || r.LoRADropout != 0 || !r.Given("train_type") || r.Given("sft_type") {
		t.Errorf("got %+v", r)
	}
	for alias, name := range aliases {
		if field(name) == nil || field(alias) != nil {
			t.Errorf("the alias %s of %s: it must name a setting and not be one", alias, name)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"model"}, `stray argument "model"`},
		{[]string{"--dataset", "a.json", "b.json"}, "comma-separated"},
		{[]string{"-model", "m"}, "two dashes"},
		{[]string{"--"}, "stray argument"},
		{[]string{"--model"}, "--model needs a value: --model DIR"},
		{[]string{"--model", "--packing"}, "--model needs a value"},
		{[]string{"--learnin_rate", "1"}, "did you mean --learning_rate"},
		{[]string{"--rank", "1"}, "did you mean --lora_rank"},
		{[]string{"--warmup", "1"}, "did you mean --warmup_"},
		{[]string{"--bacth_size", "1"}, "did you mean --per_device_train_batch_size"},
		{[]string{"--zzzzzzzzzzzz"}, "unknown flag --zzzzzzzzzzzz; --help"},
		{[]string{"--" + strings.Repeat("x", 1<<20)}, "unknown flag"},
		{[]string{"--packing", "perhaps"}, `--packing "perhaps": a boolean takes true or false`},
		{[]string{"--lora_rank", "8.5"}, `--lora_rank "8.5": a whole number is wanted`},
		{[]string{"--lora_rank", "99999999999999999999"}, "a whole number"},
		{[]string{"--learning_rate", "nan"}, "a number is wanted"},
		{[]string{"--learning_rate", "-Inf"}, "a number is wanted"},
		{[]string{"--learning_rate", "1e999"}, "a number is wanted"},
		{[]string{"--dataset", "a,,b"}, "empty entry"},
		{[]string{"--device_memory", "8 apples"}, "an amount of memory"},
		{[]string{"--device_memory", "0x8G"}, "an amount of memory"},
		{[]string{"--device_memory", "99999999TB"}, "more memory than there is"},
		{[]string{"--model", "\xff"}, "not UTF-8"},
	} {
		_, err := Parse(c.args)
		wantError(t, strings.Join(c.args, " ")[:min(40, len(strings.Join(c.args, " ")))], err, c.want)
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
	for _, arg := range []string{"--help", "-h"} {
		if _, err := Parse([]string{"--seed", "1", arg}); !errors.Is(err, ErrHelp) {
			t.Errorf("%s gives %v", arg, err)
		}
	}
}

func TestExtraFlags(t *testing.T) {
	vocab, force := "", ""
	extra := []Flag{
		{Name: "vocab_size", Value: "N", Group: "Tokenizer", Help: "entries", Set: func(v string) error { vocab = v; return nil }},
		{Name: "force", Bool: true, Group: "Tokenizer", Help: "overwrite", Set: func(v string) error { force = v; return nil }},
	}
	r, err := Parse([]string{"--vocab-size", "9", "--vocab_size", "512", "--force", "--seed", "3"}, extra...)
	if err != nil || vocab != "512" || force != "true" || r.Seed != 3 {
		t.Errorf("vocab_size %q, force %q, seed %d, %v", vocab, force, r.Seed, err)
	}
	_, err = Parse([]string{"--vocab_sise", "1"}, extra...)
	wantError(t, "misspelt", err, "did you mean --vocab_size")
	var b strings.Builder
	if err := Help(&b, extra...); err != nil || !strings.Contains(b.String(), "\nTokenizer\n  --vocab_size N\n") {
		t.Errorf("help %v:\n%s", err, b.String())
	}
}

func TestValidate(t *testing.T) {
	const base = "--model m --dataset d "
	for line, want := range map[string]string{
		"--lora_rank 0":                             "lora_rank is 0; it must be at least 1",
		"--lora_rank -3":                            "lora_rank is -3",
		"--lora_alpha 0":                            "lora_alpha is 0; it must be above 0",
		"--lora_dropout 1":                          "lora_dropout is 1; it must be at least 0 and below 1",
		"--train_type dora":                         `train_type is "dora"; it must be lora, qlora or full`,
		"--lr_scheduler_type poly":                  "constant, constant_with_warmup, linear or cosine",
		"--optim lion":                              "adamw, paged_adamw or sgd",
		"--device cuda":                             "auto, cpu or webgpu",
		"--log_format xml":                          "auto, plain or json",
		"--learning_rate -1":                        "learning_rate is -1",
		"--adam_beta1 1":                            "adam_beta1 is 1; it must be at least 0 and below 1",
		"--adam_beta2 -0.1":                         "adam_beta2 is -0.1",
		"--adam_epsilon -1e-8":                      "adam_epsilon",
		"--max_grad_norm -1":                        "max_grad_norm",
		"--weight_decay -0.5":                       "weight_decay",
		"--warmup_ratio 1.5":                        "warmup_ratio is 1.5",
		"--warmup_steps -2":                         "-1 for not set",
		"--max_steps 0":                             "max_steps is 0",
		"--num_train_epochs 0":                      "num_train_epochs is 0; it must be above 0",
		"--per_device_train_batch_size 0":           "per_device_train_batch_size is 0",
		"--gradient_accumulation_steps 0":           "gradient_accumulation_steps is 0",
		"--max_length -5":                           "max_length is -5",
		"--split_dataset_ratio 1":                   "split_dataset_ratio is 1",
		"--save_steps 0":                            "save_steps is 0",
		"--eval_steps 0":                            "eval_steps is 0",
		"--logging_steps 0":                         "logging_steps is 0",
		"--save_total_limit -1":                     "save_total_limit is -1",
		"--seed -1":                                 "seed is -1",
		"--seed 9007199254740993":                   "seed is 9007199254740993",
		"--target_modules q_proj,all-linear":        "mixes all-linear with names",
		"--target_modules=":                         "lora_target_modules is empty",
		"--train_type full --adapter a":             "adapter \"a\" cannot train with train_type full",
		"--freeze_parameters model.embed":           "freeze_parameters works with train_type full only",
		"--load_best_model_at_end":                  "set split_dataset_ratio above 0",
		"--early_stop_interval 2":                   "early_stop_interval counts evaluations",
		"--dataset= --model=":                       "dataset is missing",
		"--train_type full --freeze_parameters a,b": "",
		"--split_dataset_ratio 0.1 --load_best_model_at_end --early_stop_interval 3": "",
		"--learning_rate 0 --max_grad_norm 0 --max_steps -1 --max_length 0":          "",
	} {
		err := parse(t, base+line).Validate()
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
			continue
		}
		wantError(t, line, err, want)
	}
	r := Default()
	r.LearningRate, r.AdamBeta1 = math.NaN(), math.Inf(1)
	wantError(t, "NaN and Inf", r.Validate(), "learning_rate is NaN", "adam_beta1 is +Inf", "model is missing", "dataset is missing")
}

// Every case of the golden data reads into the recipe that its flags describe.
func TestGoldenCommandLines(t *testing.T) {
	dir := golden.Root(t)
	cases, _ := filepath.Glob(filepath.Join(dir, "testdata", "golden", "*", "case.json"))
	shared, _ := filepath.Glob(filepath.Join(dir, "..", "shared", "golden", "*", "case.json"))
	if len(cases) < 3 {
		t.Fatalf("only %d cases in testdata/golden", len(cases))
	}
	read := 0
	for _, path := range append(cases, shared...) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			CLI   []string       `json:"cli"`
			Flags map[string]any `json:"flags"`
		}
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		// Preference methods and other tuners have flags that come with them.
		name := filepath.Base(filepath.Dir(path))
		if c.CLI[0] != "sft" || !strings.HasPrefix(name, "tiny_") && !slices.Contains([]string{"lora_basic", "qlora_basic", "full_ft"}, name) {
			continue
		}
		read++
		r, err := Parse(append(c.CLI[1:], "--device", "cpu", "--output_dir", "out"))
		if err == nil {
			err = r.Validate()
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		out, err := r.ToJSON()
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		for flag, want := range c.Flags {
			switch flag {
			case "lora_r":
				flag = "lora_rank"
			case "shuffle":
				flag = "dataset_shuffle"
			case "target_modules":
				if w := want.([]any); len(w) != len(r.LoRATargetModules) || w[0] != r.LoRATargetModules[0] {
					t.Errorf("%s: targets %v, want %v", path, r.LoRATargetModules, w)
				}
				continue
			case "dataset", "method", "adapter_init", "finetuning_type", "load_in_4bit", "bnb_4bit_quant_type", "bnb_4bit_use_double_quant", "bnb_4bit_compute_dtype":
				continue
			}
			if got[flag] != want {
				t.Errorf("%s: %s is %v, want %v", path, flag, got[flag], want)
			}
		}
	}
	if read < 3 {
		t.Errorf("only %d sft cases", read)
	}
}

func TestHelp(t *testing.T) {
	var b strings.Builder
	if err := Help(&b); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	for _, f := range Fields() {
		if f.Help == "" || f.Group == "" {
			t.Errorf("%s has no help or no group", f.Name)
		}
		if !strings.Contains(text, "--"+f.Name+" "+f.placeholder()+" "+f.Help) {
			t.Errorf("help lacks %s with its meaning", f.Name)
		}
		if d := f.defaultText(); d != "" && !strings.Contains(text, "default "+d+")") {
			t.Errorf("help lacks the default of %s", f.Name)
		}
	}
	for line := range strings.Lines(b.String()) {
		if len([]rune(line)) > 110 {
			t.Errorf("a line of %d characters: %s", len(line), line)
		}
	}
}

func TestDataSettings(t *testing.T) {
	r := parse(t, `--model m --dataset a.json#500,b.jsonl --interleave_probs 0.7,3 --columns {"a":"query","b":""} --eval_dataset_sample 20 --truncation_strategy truncation_left`)
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	names, _ := r.ColumnNames()
	p, _ := r.Probabilities()
	if len(names) != 2 || names["a"] != "query" || !slices.Equal(p, []float64{0.7, 3}) || !r.HoldsOut() || r.TruncationStrategy != "left" {
		t.Errorf("columns %v, probabilities %v, %+v", names, p, r)
	}
	for line, want := range map[string]string{
		"--interleave_prob 0.5":                     "1 numbers and dataset 2",
		"--interleave_prob 0.5,0":                   `interleave_prob has "0"`,
		"--interleave_prob 0.5,x":                   `interleave_prob has "x"`,
		`--columns ["a"]`:                           "no object",
		`--columns {"a":1}`:                         `"a" has a value that is no name`,
		`--columns {"a":"b","a":"c"}`:               "twice",
		`--columns {"a":"b"`:                        "columns is",
		`--columns {"a":"b"}{}`:                     "something follows",
		"--val_dataset v --split_dataset_ratio 0.1": "leave split_dataset_ratio out",
		"--train_on_prompt --mask_history":          "leave one of them out",
		"--train_dataset_sample 0":                  "train_dataset_sample is 0",
	} {
		r := parse(t, "--model m --dataset a,b "+line)
		wantError(t, line, r.Validate(), want)
	}
	// save_steps is what was set, so eval_steps, which follows it, is not complained about.
	err := parse(t, "--model m --dataset d --save_steps 0").Validate()
	wantError(t, "save_steps 0", err, "save_steps is 0")
	if strings.Contains(err.Error(), "eval_steps") {
		t.Errorf("eval_steps was not set, but: %v", err)
	}
	// How many rows are taken decides a run's numbers; where they lie does not.
	hash := func(line string) string { return parse(t, "--model m "+line).Hash() }
	if hash("--dataset a.json") != hash("--dataset b.json") || hash("--dataset a.json#5") != hash("--dataset b.json#5") || hash("--dataset a.json#5") == hash("--dataset a.json#6") || hash("--dataset a.json#5") == hash("--dataset a.json") {
		t.Error("the hash does not follow the sample")
	}
}
