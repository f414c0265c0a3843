package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hone/core/safetensors"
)

const (
	smallModel    = `"hidden_size":32,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":48,"vocab_size":96,"max_position_embeddings":64,"initializer_range":0.1,"eos_token_id":2`
	smallChatGLM3 = `"model_type":"chatglm","hidden_size":32,"num_layers":2,"num_attention_heads":4,"multi_query_attention":true,"multi_query_group_num":2,"ffn_hidden_size":48,"padded_vocab_size":96,"seq_length":64,"initializer_range":0.1,"eos_token_id":2`
	smallGPT2     = `"model_type":"gpt2","n_embd":32,"n_layer":2,"n_head":4,"n_positions":64,"vocab_size":96,"initializer_range":0.1,"eos_token_id":2`
)

// smallConfigs are models of every architecture, in usual and in odd settings.
var smallConfigs = []struct{ name, config string }{
	{"llama3_rope", `"model_type":"llama",` + smallModel + `,"tie_word_embeddings":true,"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":32}`},
	{"llama_dynamic_rope", `"model_type":"llama",` + smallModel + `,"max_position_embeddings":8,"rope_scaling":{"type":"dynamic","factor":2}`},
	{"mistral", `"model_type":"mistral",` + smallModel + `,"sliding_window":5`},
	{"qwen2", `"model_type":"qwen2",` + smallModel + `,"tie_word_embeddings":true,"use_sliding_window":false`},
	{"qwen3", `"model_type":"qwen3",` + smallModel + `,"head_dim":16,"attention_bias":true`},
	{"chatglm3", smallChatGLM3},
	{"chatglm3_odd", smallChatGLM3 + `,"rmsnorm":false,"add_qkv_bias":true,"kv_channels":10,"rope_ratio":3,"tie_word_embeddings":true`},
	{"gemma3", `"model_type":"gemma3_text","head_dim":16,"sliding_window":5,"sliding_window_pattern":2,"query_pre_attn_scalar":16,` + smallModel},
	{"gpt2", smallGPT2},
	{"gpt2_untied", smallGPT2 + `,"tie_word_embeddings":false,"n_inner":40,"activation_function":"gelu","scale_attn_by_inverse_layer_idx":true`},
}

// smallModelDir writes a random model of a configuration.
func smallModelDir(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	path := writeFile(t, dir, "config.json", `{`+config+`}`)
	if out, status := hone(t, dir, "init", "--config", path, "--seed", "3", "model"); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	return filepath.Join(dir, "model")
}

// Every architecture trains in full, with LoRA on all its linear layers, and with QLoRA, and the loss falls.
func TestArchitecturesTrain(t *testing.T) {
	for _, c := range smallConfigs {
		t.Run(c.name, func(t *testing.T) {
			model := smallModelDir(t, c.config)
			rows := writeFile(t, filepath.Dir(model), "rows.jsonl", rowsOf(4, 96, 9, 20, 1))
			for method, rate := range map[string]string{"full": "0.01", "lora": "0.01", "qlora": "0.01"} {
				t.Run(method, func(t *testing.T) {
					out := t.TempDir()
					text, status := hone(t, out, "sft", "--model", model, "--dataset", rows, "--train_type", method, "--learning_rate", rate, "--max_length", "60",
						"--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "2", "--max_steps", "3", "--logging_steps", "1", "--lr_scheduler_type", "constant",
						"--split_dataset_ratio", "0", "--dataset_shuffle", "false", "--device", "cpu", "--output_dir", out)
					if status != 0 {
						t.Fatalf("exit status %d:\n%s", status, text)
					}
					losses := loggedLosses(t, onlyRun(t, out))
					if len(losses) != 3 || !(losses[1] < losses[0]) || !(losses[2] < losses[1]) {
						t.Errorf("losses are %v; they should fall", losses)
					}
				})
			}
		})
	}
}

func loggedLosses(t *testing.T, run string) []float64 {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(run, "logging.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var losses []float64
	for line := range strings.Lines(string(raw)) {
		var m struct{ Loss *float64 }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m.Loss != nil {
			losses = append(losses, *m.Loss)
		}
	}
	return losses
}

// A full fine-tuning that changes nothing writes the model that it read, [in, out] weights too; and a run that goes on
// from such a checkpoint ends as the run left alone.
func TestGPT2RoundTrip(t *testing.T) {
	model := smallModelDir(t, smallGPT2)
	rows := writeFile(t, filepath.Dir(model), "rows.jsonl", rowsOf(8, 96, 9, 20, 1))
	train := func(out string, more ...string) string {
		t.Helper()
		text, status := hone(t, filepath.Dir(model), append([]string{"sft", "--model", model, "--dataset", rows, "--train_type", "full", "--per_device_train_batch_size", "2",
			"--gradient_accumulation_steps", "1", "--max_steps", "4", "--save_steps", "2", "--split_dataset_ratio", "0", "--device", "cpu", "--output_dir", out}, more...)...)
		if status != 0 {
			t.Fatalf("exit status %d:\n%s", status, text)
		}
		return onlyRun(t, out)
	}
	still := train(t.TempDir(), "--learning_rate", "0")
	sameTensors(t, filepath.Join(model, "model.safetensors"), filepath.Join(still, "checkpoint-4", "model.safetensors"))

	moving := train(t.TempDir(), "--learning_rate", "0.01")
	want, err := os.ReadFile(filepath.Join(moving, "checkpoint-4", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if text, status := hone(t, moving, "sft", "--resume_from_checkpoint", filepath.Join(moving, "checkpoint-2")); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, text)
	}
	got, err := os.ReadFile(filepath.Join(moving, "checkpoint-4", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(want, got) {
		t.Error("the resumed run ends with other weights")
	}
}

// sameTensors compares two files tensor by tensor: names, shapes and bytes.
func sameTensors(t *testing.T, want, got string) {
	t.Helper()
	w, err := safetensors.Open(want)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	g, err := safetensors.Open(got)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if len(w.Tensors()) != len(g.Tensors()) {
		t.Errorf("%d tensors, want %d", len(g.Tensors()), len(w.Tensors()))
	}
	for _, info := range w.Tensors() {
		other, ok := g.Lookup(info.Name)
		if !ok || !other.Shape.Equal(info.Shape) {
			t.Errorf("%s is %v, want %v", info.Name, other.Shape, info.Shape)
			continue
		}
		a, errA := w.ReadBytes(info.Name)
		b, errB := g.ReadBytes(info.Name)
		if errA != nil || errB != nil || !slices.Equal(a, b) {
			t.Errorf("%s has other values (%v, %v)", info.Name, errA, errB)
		}
	}
}

// GPT-2's learned positions end: a longer max_length is lowered and said so, and rows beyond it are left out.
func TestLearnedPositionsLimitRows(t *testing.T) {
	model := smallModelDir(t, strings.Replace(smallGPT2, `"n_positions":64`, `"n_positions":21`, 1))
	rows := writeFile(t, filepath.Dir(model), "rows.jsonl", rowsOf(3, 96, 21, 21, 1)+rowsOf(1, 96, 22, 22, 2))
	out := t.TempDir()
	text, status := hone(t, out, "sft", "--model", model, "--dataset", rows, "--train_type", "lora", "--max_length", "64", "--max_steps", "1", "--split_dataset_ratio", "0", "--device", "cpu", "--output_dir", out)
	if status != 0 {
		t.Fatalf("exit status %d:\n%s", status, text)
	}
	for _, want := range []string{"max_length is 21, not 64", "1 of 4 rows"} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
}

// Adapters of GPT-2 say that the base's weights are [in, out]; those of others do not.
func TestFanInFanOut(t *testing.T) {
	for name, want := range map[string]bool{"tiny_gpt2": true, "tiny_qwen2": false} {
		dir := t.TempDir()
		rows := writeFile(t, dir, "rows.jsonl", rowsOf(2, 96, 9, 20, 1))
		if text, status := hone(t, dir, "sft", "--model", golden(name), "--dataset", rows, "--max_steps", "1", "--split_dataset_ratio", "0", "--device", "cpu", "--output_dir", dir); status != 0 {
			t.Fatalf("exit status %d:\n%s", status, text)
		}
		raw, err := os.ReadFile(filepath.Join(onlyRun(t, dir), "checkpoint-1", "adapter_config.json"))
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			FanInFanOut bool `json:"fan_in_fan_out"`
		}
		if err := json.Unmarshal(raw, &c); err != nil || c.FanInFanOut != want {
			t.Errorf("%s: fan_in_fan_out is %s (%v)", name, strconv.FormatBool(c.FanInFanOut), err)
		}
	}
}
