//go:build soak && !js

package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hone/core/golden"
	"hone/core/recipe"
	"hone/web/worker/workertest"
)

// smol is a small Llama for the real tokenizer of SmolLM.
const smol = `{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,"intermediate_size":128,"num_hidden_layers":2,"num_attention_heads":4,
"vocab_size":49152,"max_position_embeddings":2048,"tie_word_embeddings":true,"bos_token_id":0,"eos_token_id":0}`

// Real rows, with a real tokenizer beside a model from the disk, go through the page as through the command line: to the same losses.
func TestRealFiles(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "smol")
	output(t, dir, "init", "--config", write(t, filepath.Join(dir, "config.json"), smol), "--seed", "1", model)
	raw, err := os.ReadFile(golden.Shared(t, "data/tokenizers/smollm/tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(model, "tokenizer.json"), string(raw))
	files, err := filepath.Glob(filepath.Join(model, "*"))
	if err != nil {
		t.Fatal(err)
	}
	address, _ := serving(t)
	p := open(t, workertest.Start(t, noGPU...), address+"/zh/")
	defer p.Close()
	p.upload("model-files", files...)
	p.until(soon, "a model of the disk in use", `document.querySelector("#model").textContent.includes("49,152")`)
	p.fill("set-max_steps", "3")
	p.fill("set-per_device_train_batch_size", "2")
	p.fill("set-max_length", "256")
	for _, c := range []struct{ name, query, response string }{
		{name: "medical_sft_1K_format.jsonl"}, {name: "alpaca_zh_demo.json"}, {name: "identity.json"}, {"gsm8k_test.jsonl", "question", "answer"},
		{"internal_medicine_gb18030.csv", "ask", "answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &tab{p.Page, t}
			path := golden.Shared(t, "data/datasets/"+c.name)
			p.upload("data-files", path)
			p.until(soon, "the rows", fmt.Sprintf(`document.querySelector("#command-line").textContent.includes(%q)`, c.name))
			if c.query != "" {
				p.until(soon, "columns to choose", fmt.Sprintf(`document.querySelector("#column-query option[value=%s]")`, c.query))
				p.fill("column-query", c.query)
				p.fill("column-response", c.response)
				p.press("apply-columns")
			}
			p.press("play")
			p.until(soon, "begun", `document.getElementById("stop")`)
			p.finished(3 * time.Minute)
			_, logged, args := p.newest()
			r, err := recipe.FromJSON(json.RawMessage(args))
			if err != nil || len(r.Dataset) != 1 {
				t.Fatalf("%v: %s", err, args)
			}
			if strings.HasSuffix(path, ".csv") { // the command line has the rows that the page made of the table
				path = write(t, filepath.Join(t.TempDir(), "rows.jsonl"), string(p.bytes(strings.TrimPrefix(r.Dataset[0], "/"))))
			}
			r.Model, r.Dataset, r.OutputDir, r.Device, r.KernelVariant = model, []string{path}, t.TempDir(), "cpu", "auto"
			same(t, logged, steppedHere(t, r, 3), 1e-4)
			p.noFailure()
		})
	}
}
