package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/data"
	"hone/core/run"
	"hone/core/wire"
)

// TestPreview shows rows of a model with a tokenizer and of one without, and wants nothing else to happen.
func TestPreview(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "text.txt", strings.Repeat("Tell a story. 讲一个故事。Once upon a time.\n", 40))
	writeFile(t, dir, "config.json", `{"model_type":"llama","hidden_size":16,"num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":16,"vocab_size":1,"max_position_embeddings":128}`)
	if out, status := hone(t, dir, "pretrain", "--dataset", "text.txt", "--config", "config.json", "--vocab_size", "340", "--max_steps", "1", "--output_dir", "made"); status != 0 {
		t.Fatal(out)
	}
	writeFile(t, dir, "rows.jsonl", `{"query":"Tell a story.","response":"Once","history":[["故事","讲"]],"id":3}
{"query":"`+"\\u001b[31m"+`","response":"upon"}`)
	before := tree(t, dir)
	out, status := hone(t, dir, "sft", "--model", "made/final", "--dataset", "rows.jsonl", "--preview", "9", "--output_dir", "out")
	if status != 0 {
		t.Fatal(out)
	}
	for _, want := range []string{"2 read, 2 kept, 0 dropped", `left out: "id"`, "chat template: plain", "rows.jsonl row 1: ", "### User\n故事", "⟦ 讲</s>⟧", "⟦ Once</s>⟧", "rows.jsonl row 2: ", "␛[31m", "⟦ upon</s>⟧"} {
		if !strings.Contains(out, want) {
			t.Errorf("the preview lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("a row steers the terminal: %q", out)
	}
	if got := tree(t, dir); got != before {
		t.Errorf("the preview wrote files:\n%s", got)
	}
	out, status = hone(t, dir, "sft", "--model", "made/final", "--dataset", "rows.jsonl", "--preview", "1", "--mask_history")
	if status != 0 || strings.Contains(out, "⟦ 讲") || !strings.Contains(out, "⟦ Once</s>⟧") || strings.Contains(out, "row 2") {
		t.Errorf("one row, only the last answer: %s", out)
	}
	writeFile(t, dir, "ids.jsonl", `{"input_ids":[1,2,3],"labels":[-100,-100,3]}`)
	out, status = hone(t, dir, "sft", "--model", tinyLlama(), "--dataset", "ids.jsonl", "--preview", "1")
	if status != 0 || !strings.Contains(out, "ids.jsonl row 1: 3 tokens, 1 supervised, bucket 8") || !strings.Contains(out, "no tokenizer") {
		t.Errorf("without a tokenizer: %s", out)
	}
	var b bytes.Buffer
	showRows(&b, []run.PreviewRow{{File: "f", Row: 1, Tokens: 3, Supervised: 1, Bucket: 8, Runs: []data.Run{{Text: "ask"}, {Text: "say", Learnt: true}}}}, true)
	if got := b.String(); got != "\nf row 1: 3 tokens, 1 supervised, bucket 8\n\x1b[2mask\x1b[0msay\n" {
		t.Errorf("on a terminal: %q", got)
	}
}

// tree lists all files below dir.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}

func TestPlanInJSON(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "rows.jsonl", rowsOf(8, 256, 6, 20, 1))
	out, status := hone(t, dir, "plan", "--model", tinyLlama(), "--dataset", "rows.jsonl", "--log_format", "json", "--max_steps", "3")
	var p struct {
		Plan     wire.Plan
		Total    int64
		Rows     wire.Rows
		Warnings []string
	}
	if err := json.Unmarshal([]byte(out), &p); err != nil || status != 0 {
		t.Fatalf("%v, exit status %d: %s", err, status, out)
	}
	if p.Plan.Steps != 3 || p.Total != p.Plan.Total() || p.Total == 0 || p.Rows.Kept != 8 || len(p.Warnings) == 0 {
		t.Errorf("%+v", p)
	}
}

// TestInterruptedWhileReading ends a run before its first step.
func TestInterruptedWhileReading(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "rows.jsonl", rowsOf(8, 256, 6, 20, 1))
	t.Chdir(dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if status := Run(ctx, []string{"sft", "--model", tinyLlama(), "--dataset", "rows.jsonl"}, &out, &out); status != 130 || !strings.Contains(out.String(), "nothing was written") {
		t.Errorf("exit status %d: %s", status, out.String())
	}
	if _, err := os.Stat("output"); err == nil {
		t.Error("there is an output directory")
	}
}
