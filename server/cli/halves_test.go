package cli

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/bundle"
	"hone/core/checkpoint"
	"hone/core/safetensors"
	"hone/core/tensor"
)

// inHalves writes the bundled model twice: as it is in 16 bits, sharded, and with the same values in F32.
func inHalves(t *testing.T, d tensor.DType) (narrow, wide string) {
	t.Helper()
	src := t.TempDir()
	if err := bundle.WriteTo(src); err != nil {
		t.Fatal(err)
	}
	b, err := checkpoint.OpenBase(filepath.Join(src, "model"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	narrow, wide = t.TempDir(), t.TempDir()
	for _, dir := range []string{narrow, wide} {
		if err := os.CopyFS(dir, os.DirFS(b.Dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, "model.safetensors")); err != nil {
			t.Fatal(err)
		}
	}
	var small, large []safetensors.Tensor
	for _, p := range b.Model.Params() {
		v := make([]float32, p.Shape.Elements())
		if err := b.Weights.ReadF32(p.Name, v); err != nil {
			t.Fatal(err)
		}
		h := tensor.Host{Type: tensor.Type{DType: d, Shape: p.Shape}}
		for i, x := range v {
			if d == tensor.F16 {
				h.Bytes = binary.LittleEndian.AppendUint16(h.Bytes, tensor.F32ToF16(x))
				v[i] = tensor.F16ToF32(tensor.F32ToF16(x))
			} else {
				h.Bytes = binary.LittleEndian.AppendUint16(h.Bytes, tensor.F32ToBF16(x))
				v[i] = tensor.BF16ToF32(tensor.F32ToBF16(x))
			}
		}
		small, large = append(small, safetensors.FromHost(p.Name, h)), append(large, safetensors.Floats(p.Name, v, p.Shape...))
	}
	if err := safetensors.WriteModel(narrow, small, nil, 100e3); err != nil {
		t.Fatal(err)
	}
	if err := safetensors.WriteModel(wide, large, nil, 0); err != nil {
		t.Fatal(err)
	}
	return narrow, wide
}

// A run on a base in 16 bits is the run on the same values in F32, bit for bit, whatever trains; the weights that stay as
// they are take half the memory, and comparing gives the same answers.
func TestHalvesAreTheWidenedBase(t *testing.T) {
	rows := writeFile(t, t.TempDir(), "rows.jsonl", rowsOf(24, 640, 5, 60, 4))
	for _, d := range []tensor.DType{tensor.BF16, tensor.F16} {
		narrow, wide := inHalves(t, d)
		for _, c := range []struct {
			name string
			args []string
		}{
			{"lora", []string{"--train_type", "lora", "--lora_dropout", "0.1", "--lora_rank", "3"}},
			{"qlora", []string{"--train_type", "qlora", "--gradient_checkpointing", "false"}},
			{"full", []string{"--train_type", "full", "--freeze_parameters", "model.embed_tokens,model.layers.0,model.layers.2"}},
		} {
			t.Run(d.String()+"_"+c.name, func(t *testing.T) {
				var files [2][]byte
				var answers [2]string
				var weights [2]int64
				for i, model := range []string{narrow, wide} {
					out := t.TempDir()
					args := append([]string{"--model", model, "--dataset", rows, "--per_device_train_batch_size", "3", "--gradient_accumulation_steps", "2", "--max_steps", "4",
						"--learning_rate", "0.01", "--split_dataset_ratio", "0.1", "--eval_steps", "2", "--device", "cpu", "--output_dir", out}, c.args...)
					text, status := hone(t, out, append([]string{"plan"}, args...)...)
					if status != 0 {
						t.Fatal(text)
					}
					weights[i] = planLine(t, text, "weights")
					if text, status = hone(t, out, append([]string{"sft"}, args...)...); status != 0 {
						t.Fatal(text)
					}
					last := filepath.Join(onlyRun(t, out), "checkpoint-4")
					name := checkpoint.AdapterTensors
					if c.name == "full" {
						name = checkpoint.ModelTensors
					}
					files[i] = f32Bytes(t, filepath.Join(last, name))
					text, status = hone(t, out, "compare", "--model", model, "--adapter", last, "--prompt", "What comes after eight?", "--max_new_tokens", "12", "--temperature", "1")
					if status != 0 {
						t.Fatal(text)
					}
					answers[i] = strings.ReplaceAll(text, last, "")
				}
				if len(files[0]) == 0 || !bytes.Equal(files[0], files[1]) {
					t.Error("the weights that the two runs trained differ")
				}
				if answers[0] != answers[1] {
					t.Errorf("the answers differ:\n%s\n%s", answers[0], answers[1])
				}
				least := 1.2 // QLoRA and full keep only the embeddings and some layers in 16 bits
				if c.name == "lora" {
					least = 1.98
				}
				if ratio := float64(weights[1]) / float64(weights[0]); ratio < least || ratio > 2 {
					t.Errorf("the plan has %d bytes of weights in %v and %d in F32", weights[0], d, weights[1])
				}
			})
		}
	}
}

// f32Bytes are the values of all tensors of a file in F32, one after the other by name.
func f32Bytes(t *testing.T, path string) []byte {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all bytes.Buffer
	for _, info := range f.Tensors() {
		all.WriteString(info.Name)
		v := make([]float32, info.Shape.Elements())
		if err := f.ReadF32(info.Name, v); err != nil {
			t.Fatal(err)
		}
		for _, x := range v {
			all.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(x)))
		}
	}
	return all.Bytes()
}
