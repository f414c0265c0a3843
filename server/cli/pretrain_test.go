package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"hone/core/checkpoint"
	"hone/core/tensor"
)

// A model that is to be stored in 16 bits has the weights of the one in 32, rounded.
func TestPretrainDType(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "text.txt", strings.Repeat("Tell a story. 讲一个故事。Once upon a time.\n", 40))
	writeFile(t, dir, "config.json", `{"model_type":"llama","hidden_size":16,"num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":16,"vocab_size":1,"max_position_embeddings":128,"tie_word_embeddings":true}`)
	models := map[string]*checkpoint.Base{}
	for _, dtype := range []string{"float32", "bfloat16", "float16"} {
		if out, status := hone(t, dir, "pretrain", "--dataset", "text.txt", "--config", "config.json", "--vocab_size", "340", "--max_steps", "2", "--device", "cpu",
			"--output_dir", dtype, "--dtype", dtype); status != 0 {
			t.Fatal(out)
		}
		b, err := checkpoint.OpenBase(filepath.Join(dir, dtype, "final"))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		models[dtype] = b
	}
	for dtype, round := range map[string]func(float32) float32{
		"bfloat16": func(v float32) float32 { return tensor.BF16ToF32(tensor.F32ToBF16(v)) },
		"float16":  func(v float32) float32 { return tensor.F16ToF32(tensor.F32ToF16(v)) },
	} {
		for _, p := range models[dtype].Model.Params() {
			want, got := make([]float32, p.Shape.Elements()), make([]float32, p.Shape.Elements())
			if err := models["float32"].Weights.ReadF32(p.Name, want); err != nil {
				t.Fatal(err)
			}
			if err := models[dtype].Weights.ReadF32(p.Name, got); err != nil {
				t.Fatal(err)
			}
			for i, v := range want {
				if got[i] != round(v) {
					t.Fatalf("%s: %s[%d] is %v, of %v", dtype, p.Name, i, got[i], v)
				}
			}
		}
	}
	if out, status := hone(t, dir, "pretrain", "--dataset", "text.txt", "--config", "config.json", "--output_dir", "no", "--dtype", "int3"); status == 0 || !strings.Contains(out, "int3") {
		t.Errorf("--dtype int3: status %d, %s", status, out)
	}
}
