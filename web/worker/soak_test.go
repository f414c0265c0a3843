//go:build soak && !js

package worker_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hone/core/checkpoint"
	"hone/core/tensor"
	"hone/core/wire"
	"hone/web/worker/workertest"
)

// qwen is the shape of Qwen2.5-0.5B.
const qwen = `{"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2","hidden_size":896,"intermediate_size":4864,"num_hidden_layers":24,
"num_attention_heads":14,"num_key_value_heads":2,"vocab_size":151936,"max_position_embeddings":32768,"rms_norm_eps":1e-6,"rope_theta":1000000,
"hidden_act":"silu","tie_word_embeddings":true,"torch_dtype":"bfloat16","bos_token_id":151643,"eos_token_id":151643,"initializer_range":0.02}`

// mostMemory is what Go may take of the browser in all with a model of half a billion parameters: its weights go from the file to the
// graphics card a piece at a time.
const mostMemory = 600 << 20

// TestTrainerHalfBillion does two steps of QLoRA on a random model of Qwen2.5-0.5B's shape, in a tab.
func TestTrainerHalfBillion(t *testing.T) {
	dir := t.TempDir()
	if err := checkpoint.InitModelAs(dir, []byte(qwen), 1, checkpoint.InitForm{DType: tensor.BF16}); err != nil {
		t.Fatal(err)
	}
	rows := "{\"input_ids\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]}\n{\"input_ids\":[16,15,14,13,12,11,10,9,8,7,6,5,4,3,2,1]}\n"
	if err := os.WriteFile(filepath.Join(dir, "rows.jsonl"), []byte(rows), 0o666); err != nil {
		t.Fatal(err)
	}
	p := workertest.Start(t).Open(workertest.Trainer(t, map[string]string{"big/": dir}), "trainer.js")
	defer p.Close()
	files := map[string]string{"data/rows.jsonl": "big/rows.jsonl"}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "rows.jsonl" {
			files["models/big/"+e.Name()] = "big/" + e.Name()
		}
	}
	p.Put(files)
	if m := workertest.Ask[wire.Model](p, wire.Inspect{Model: "models/big"}); m.Parameters < 490e6 {
		t.Fatalf("%+v", m)
	}
	began := time.Now()
	recipe, err := json.Marshal(map[string]any{"model": "models/big", "dataset": []string{"data/rows.jsonl"}, "train_type": "qlora", "device": "webgpu", "max_steps": 2,
		"per_device_train_batch_size": 1, "gradient_accumulation_steps": 1, "logging_steps": 1, "lora_rank": 8, "max_length": 32})
	if err != nil {
		t.Fatal(err)
	}
	workertest.Ask[wire.RunName](p, wire.Start{Recipe: recipe})
	t.Logf("begun after %v", time.Since(began).Round(time.Second))
	p.Until("finished", 0, 50*time.Minute)
	steps := stepsOf(t, p.Events())
	m := p.Measure()
	t.Logf("two steps after %v; losses %v; Go's heap %.1f MB, memory taken of the browser %.1f MB", time.Since(began).Round(time.Second),
		[]float64{steps[0].Loss, steps[1].Loss}, float64(m.Heap)/1e6, float64(m.Memory)/1e6)
	if len(steps) != 2 || m.Memory > mostMemory {
		t.Errorf("%d steps, %d bytes of memory; want 2, and at most %d", len(steps), m.Memory, mostMemory)
	}
}
