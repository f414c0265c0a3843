package run

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/chat"
	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/golden"
	"hone/core/recipe"
	"hone/core/wire"
)

// rowsIn writes n rows of 1 to 40 ids below 180, a part of each supervised.
func rowsIn(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		var ids, labels []string
		for k := range 1 + (i*29)%40 {
			id := fmt.Sprint((i*31 + k*k*7) % 180)
			ids = append(ids, id)
			if k%5 == 1 {
				id = "-100"
			}
			labels = append(labels, id)
		}
		fmt.Fprintf(&b, "{\"input_ids\":[%s],\"labels\":[%s]}\n", strings.Join(ids, ","), strings.Join(labels, ","))
	}
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// ready prepares a run and binds its programs.
func ready(t *testing.T, args ...string) (*Job, map[string]device.Buffer) {
	t.Helper()
	r, err := recipe.Parse(args)
	if err != nil {
		t.Fatal(err)
	}
	dev := cpu.New(0)
	t.Cleanup(func() { dev.Close() })
	j, err := Prepare(t.Context(), r, dev, nil)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	t.Cleanup(func() { j.Close() })
	states, err := j.upload(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.trainer.Bind(states); err != nil {
		t.Fatal(err)
	}
	return j, states
}

// epochLoss sums the losses of an epoch's micro-batches, as training computes them.
func epochLoss(t *testing.T, j *Job) (nll float64, tokens int) {
	t.Helper()
	for i := range j.loader.BatchesPerEpoch(0) {
		b := j.loader.At(0, i)
		loss, err := j.trainer.Accumulate(context.Background(), b, uint64(j.Recipe.Seed), uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		nll, tokens = nll+loss, tokens+b.Tokens
	}
	return nll, tokens
}

// TestPackingGivesTheSameLoss compares an epoch of packed rows with the same rows one by one, on every architecture of which
// there is a random model.
func TestPackingGivesTheSameLoss(t *testing.T) {
	rows := rowsIn(t, 37)
	for _, model := range []string{"tiny_llama", "tiny_gpt2", "tiny_qwen2", "tiny_qwen3"} {
		dir := filepath.Join(golden.Root(t), "testdata", "golden", model)
		common := []string{"--model", dir, "--dataset", rows, "--lora_dropout", "0", "--max_length", "96"}
		plain, _ := ready(t, append(common, "--per_device_train_batch_size", "4")...)
		packed, _ := ready(t, append(common, "--per_device_train_batch_size", "2", "--packing")...)
		a, n := epochLoss(t, plain)
		b, m := epochLoss(t, packed)
		if n != m || math.Abs(a-b) > 1e-5*a || packed.loader.BatchesPerEpoch(0) >= 37/2 {
			t.Errorf("%s: rows one by one %v over %d tokens, packed %v over %d in %d batches", model, a, n, b, m, packed.loader.BatchesPerEpoch(0))
		}
	}
}

// TestNEFTune wants noise while training, another for each micro-batch and the same for the same one, and none in evaluation.
func TestNEFTune(t *testing.T) {
	rows := rowsIn(t, 12)
	common := []string{"--model", filepath.Join(golden.Root(t), "testdata", "golden", "tiny_llama"), "--dataset", rows, "--lora_dropout", "0", "--val_dataset_sample", "4"}
	quiet, _ := ready(t, common...)
	noisy, _ := ready(t, append(common, "--neftune_noise_alpha", "5")...)
	ctx := t.Context()
	b := quiet.loader.At(0, 0)
	for i := 0; b.Tokens == 0; i++ {
		b = quiet.loader.At(0, i)
	}
	loss := func(j *Job, micro uint64) float64 {
		x, err := j.trainer.Accumulate(ctx, b, 1, micro)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	if a, b := loss(quiet, 0), loss(quiet, 1); a != b {
		t.Errorf("without noise the losses are %v and %v", a, b)
	}
	first := loss(noisy, 0)
	if first != loss(noisy, 0) || first == loss(noisy, 1) || first == loss(quiet, 0) {
		t.Errorf("with noise: %v, again %v, the next %v, without %v", first, loss(noisy, 0), loss(noisy, 1), loss(quiet, 0))
	}
	eval := func(j *Job) float64 {
		x, _, err := j.trainer.Evaluate(ctx, j.heldOut())
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	if a, b := eval(quiet), eval(noisy); a != b {
		t.Errorf("the held-out losses are %v and %v", a, b)
	}
}

func TestWarnings(t *testing.T) {
	rows := rowsIn(t, 12)
	for line, want := range map[string]string{
		"--lr_scheduler_type constant --warmup_steps 3":     "the warmup does nothing",
		"--warmup_steps 9 --max_steps 4":                    "the warmup of 9 steps does not end before the run of 4",
		"--max_length 4096":                                 "more than the 128 positions",
		"--stopping_strategy all_exhausted":                 "does nothing without interleave_prob",
		"--interleave_prob 1":                               "only one data set",
		"--eval_steps 3":                                    "eval_steps does nothing",
		"--max_length 16 --truncation_strategy delete":      "left out",
		"--max_length 16 --truncation_strategy right":       "lose their end",
		"--max_length 16 --truncation_strategy split":       "are cut into pieces",
		"--mask_history":                                    "mask_history does nothing: no row is a conversation",
		"--train_dataset_sample 100":                        "there are only 12",
		"--val_dataset " + rows + " --dataset_shuffle true": "trained on and held out",
	} {
		j, _ := ready(t, append([]string{"--model", filepath.Join(golden.Root(t), "testdata", "golden", "tiny_llama"), "--dataset", rows}, strings.Fields(line)...)...)
		if all := strings.Join(j.Warnings(), "\n"); !strings.Contains(all, want) {
			t.Errorf("%s: warnings %q, want one with %q", line, all, want)
		}
	}
	j, _ := ready(t, "--model", filepath.Join(golden.Root(t), "testdata", "golden", "tiny_llama"), "--dataset", rows)
	for _, w := range j.Warnings() {
		if !strings.Contains(w, "nothing to learn") && !strings.Contains(w, "without an end token") { // rows of one token, and ids at random
			t.Errorf("an ordinary run warns: %s", w)
		}
	}
}

// TestCourseData runs the two sets of the course: what becomes of their rows adds up, and a few steps train.
func TestCourseData(t *testing.T) {
	model := golden.Shared(t, "golden/stories260k")
	for _, c := range []struct {
		file, strategy string
		rows, length   int
	}{
		{"medical_sft_1K_format.jsonl", "delete", 1000, 320}, {"medical_sft_1K_format.jsonl", "right", 1000, 320}, {"medical_sft_1K_format.jsonl", "split", 1000, 320},
		{"alpaca_zh_demo.json", "delete", 1000, 320}, {"alpaca_zh_demo.json", "left", 1000, 320},
	} {
		r, err := recipe.Parse([]string{"--model", model, "--dataset", golden.Shared(t, "data/datasets/"+c.file), "--max_length", fmt.Sprint(c.length), "--truncation_strategy", c.strategy,
			"--val_dataset_sample", "20", "--max_steps", "2", "--gradient_accumulation_steps", "2", "--output_dir", t.TempDir(), "--logging_steps", "1"})
		if err != nil {
			t.Fatal(err)
		}
		dev := cpu.New(0)
		defer dev.Close()
		var rows wire.Rows
		var losses []float64
		result, err := Start(t.Context(), r, dev, func(e wire.Event) {
			switch e := e.(type) {
			case wire.Started:
				rows = e.Rows
			case wire.Stepped:
				losses = append(losses, e.Loss)
			}
		})
		if err != nil {
			t.Fatalf("%s: %v", c.file, err)
		}
		if raw, err := os.ReadFile(filepath.Join(result.Run, "manifest.json")); err != nil || !strings.Contains(string(raw), `"chat_template": "plain"`) || !strings.Contains(string(raw), fmt.Sprintf(`"kept": %d`, rows.Kept)) {
			t.Errorf("%s: the manifest does not say how the rows were read, %v:\n%s", c.file, err, raw)
		}
		if config, _, err := checkpoint.ReadAdapter(result.Directory); err != nil || config.Template != "plain" {
			t.Errorf("%s: the adapter's template is %q, %v", c.file, config.Template, err)
		}
		if raw, err := os.ReadFile(filepath.Join(result.Directory, "chat_template.jinja")); err != nil || string(raw) != chat.Source(chat.Plain) || len(raw) == 0 {
			t.Errorf("%s: the template beside the adapter: %v, %s", c.file, err, raw)
		}
		if rows.Read != c.rows || rows.Kept+rows.Dropped+rows.SampledOut != c.rows || rows.Train+rows.HeldOut != rows.Kept+rows.Pieces || len(losses) != 2 ||
			(rows.Dropped > 0) != (c.strategy == "delete") || (rows.Pieces > 0) != (c.strategy == "split") || (rows.Truncated > 0) != (c.strategy == "left" || c.strategy == "right") {
			t.Errorf("%s, %s: %+v, losses %v", c.file, c.strategy, rows, losses)
		}
		for _, x := range losses {
			if math.IsNaN(x) || x <= 0 {
				t.Errorf("%s: losses %v", c.file, losses)
			}
		}
	}
}
