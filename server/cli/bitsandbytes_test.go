package cli

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/checkpoint"
	reference "hone/core/golden"
	"hone/core/nn"
	"hone/core/quant"
	"hone/core/safetensors"
	"hone/core/tensor"
)

// A model that bitsandbytes quantised gives the run that quantising the original gives.
func TestBitsAndBytesGolden(t *testing.T) {
	dir := reference.Shared(t, "golden/qlora_basic")
	for _, method := range []string{"qlora", "lora"} { // the base is in 4 bits either way
		t.Run(method, func(t *testing.T) {
			runGolden(t, dir, "cpu", []string{"--model", "../stories260k-bnb-4bit", "--train_type", method})
		})
	}
}

// bnbForm is how bitsandbytes and transformers write a model in 4 bits.
type bnbForm struct {
	double  bool     // double quantisation
	storage string   // bnb_4bit_quant_storage, as a type of safetensors
	skip    []string // llm_int8_skip_modules
}

// bitsAndBytes writes a model directory as transformers would after quantising it.
func bitsAndBytes(t *testing.T, model string, form bnbForm) string {
	t.Helper()
	b, err := checkpoint.OpenBase(model)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	dir := t.TempDir()
	var tensors []safetensors.Tensor
	raw := func(name, dtype string, data []byte, shape ...int) {
		tensors = append(tensors, safetensors.Tensor{Name: name, DType: dtype, Shape: shape, Data: func(w io.Writer) error { _, err := w.Write(data); return err }})
	}
	for _, p := range b.Model.Params() {
		stored := b.StoredName(p.Name)
		info, _ := b.Weights.Lookup(stored)
		v := make([]float32, info.Shape.Elements())
		if err := b.Weights.ReadF32(stored, v); err != nil {
			t.Fatal(err)
		}
		if p.Module == "" || len(p.Shape) != 2 || slices.ContainsFunc(form.skip, func(s string) bool { return strings.HasSuffix(p.Module, s) }) {
			tensors = append(tensors, safetensors.Floats(stored, v, info.Shape...))
			continue
		}
		if p.FanInFanOut { // quantised layers are [out, in] all the same
			out, in := p.Shape[0], p.Shape[1]
			turned := make([]float32, len(v))
			for i := range turned {
				turned[i] = v[i%in*out+i/in]
			}
			v = turned
		}
		q := quant.QuantizeNF4(v, p.Shape)
		state := map[string]any{"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": p.Shape}
		codes, width := q.Codes, map[string]int{"U8": 1, "BF16": 2, "F32": 4}[form.storage]
		raw(stored, form.storage, codes, len(codes)/width, 1)
		raw(stored+".quant_map", "F32", f32Of(quant.NF4Table[:]), 16)
		if form.double {
			raw(stored+".absmax", "U8", q.Absmax, len(q.Absmax))
			raw(stored+".nested_absmax", "F32", f32Of(q.NestedAbsmax), len(q.NestedAbsmax))
			raw(stored+".nested_quant_map", "F32", f32Of(quant.DefaultMap[:]), 256)
			state["nested_blocksize"], state["nested_dtype"], state["nested_offset"] = 256, "float32", q.Offset
		} else {
			scales := make([]float32, (len(v)+63)/64)
			q.Scales(scales, 0)
			raw(stored+".absmax", "F32", f32Of(scales), len(scales))
		}
		text, err := json.Marshal(state)
		if err != nil {
			t.Fatal(err)
		}
		raw(stored+".quant_state.bitsandbytes__nf4", "U8", text, len(text))
	}
	if err := safetensors.WriteModel(dir, tensors, map[string]string{"format": "pt"}, 20000); err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(b.Config, &config); err != nil {
		t.Fatal(err)
	}
	config["quantization_config"] = map[string]any{"quant_method": "bitsandbytes", "load_in_4bit": true, "_load_in_4bit": true, "load_in_8bit": false, "bnb_4bit_quant_type": "nf4",
		"bnb_4bit_use_double_quant": form.double, "llm_int8_skip_modules": form.skip, "bnb_4bit_quant_storage": "uint8"}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

func f32Of(v []float32) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// Every architecture with linear layers trains on a bitsandbytes directory as on the original that QLoRA quantises: bit
// for bit, without double quantisation too where the scales are the same.
func TestBitsAndBytesDirectories(t *testing.T) {
	for _, c := range smallConfigs {
		t.Run(c.name, func(t *testing.T) {
			model := smallModelDir(t, c.config)
			rows := writeFile(t, filepath.Dir(model), "rows.jsonl", rowsOf(4, 96, 5, 20, 1))
			train := func(model string) string {
				t.Helper()
				out := t.TempDir()
				if text, status := hone(t, out, "sft", "--model", model, "--dataset", rows, "--train_type", "qlora", "--learning_rate", "0.01", "--max_length", "60", "--max_steps", "2",
					"--split_dataset_ratio", "0", "--device", "cpu", "--output_dir", out); status != 0 {
					t.Fatalf("exit status %d:\n%s", status, text)
				}
				return filepath.Join(onlyRun(t, out), "checkpoint-2")
			}
			want := train(model)
			for _, form := range []bnbForm{{double: true, storage: "U8"}, {double: false, storage: "U8"}, {double: true, storage: "BF16"}, {double: false, storage: "F32"}} {
				got := train(bitsAndBytes(t, model, form))
				sameTensors(t, filepath.Join(want, checkpoint.AdapterTensors), filepath.Join(got, checkpoint.AdapterTensors))
			}
		})
	}
}

// Layers that bitsandbytes left out stay as they are, and the plan counts what lies on the device.
func TestBitsAndBytesSkips(t *testing.T) {
	model := smallModelDir(t, smallConfigs[0].config)
	for _, double := range []bool{true, false} {
		dir := bitsAndBytes(t, model, bnbForm{double: double, storage: "U8", skip: []string{"o_proj", "lm_head"}})
		b, err := checkpoint.OpenBase(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		var want int64
		for _, p := range b.Model.Params() {
			as := b.Stored(p, true, true)
			linear := p.Module != "" && len(p.Shape) == 2
			if skipped := strings.HasSuffix(p.Module, "o_proj"); linear && (as == tensor.NF4) == skipped {
				t.Errorf("%s is stored as %v", p.Name, as)
			}
			want += stored(p, as, double)
		}
		rows := writeFile(t, t.TempDir(), "rows.jsonl", rowsOf(4, 96, 5, 20, 1))
		text, status := hone(t, dir, "plan", "--model", dir, "--dataset", rows, "--train_type", "qlora")
		if status != 0 {
			t.Fatal(text)
		}
		if got := planLine(t, text, "weights"); got != want {
			t.Errorf("double quantisation %v: the plan has %d bytes of weights, want %d", double, got, want)
		}
	}
}

// stored counts the bytes of a weight by hand.
func stored(p nn.Param, as tensor.DType, double bool) int64 {
	n := int64(p.Shape.Elements())
	blocks := (n + 63) / 64
	switch {
	case as == tensor.F32:
		return 4 * n
	case double:
		return n/2 + blocks + 4*((blocks+255)/256) + 4
	}
	return n/2 + 4*blocks
}

// What cannot be read is refused by its name.
func TestBitsAndBytesRefused(t *testing.T) {
	model := smallModelDir(t, smallConfigs[0].config)
	rows := writeFile(t, t.TempDir(), "rows.jsonl", rowsOf(4, 96, 5, 20, 1))
	for old, c := range map[string]struct{ new, want string }{
		`"bnb_4bit_quant_type":"nf4"`: {`"bnb_4bit_quant_type":"fp4"`, "bitsandbytes fp4"},
		`load_in_4bit":true`:          {`load_in_4bit":false`, "8 bits"},
	} {
		dir := bitsAndBytes(t, model, bnbForm{double: true, storage: "U8"})
		path := filepath.Join(dir, "config.json")
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(raw), old, c.new)), 0o666); err != nil {
			t.Fatal(err)
		}
		text, status := hone(t, dir, "sft", "--model", dir, "--dataset", rows, "--train_type", "qlora", "--output_dir", t.TempDir())
		if status == 0 || !strings.Contains(text, c.want) {
			t.Errorf("%s: exit status %d:\n%s", c.new, status, text)
		}
	}
	dir := bitsAndBytes(t, model, bnbForm{double: true, storage: "U8"})
	text, status := hone(t, dir, "sft", "--model", dir, "--dataset", rows, "--train_type", "full", "--output_dir", t.TempDir())
	if status == 0 || !strings.Contains(text, "cannot be trained in full") {
		t.Error(fmt.Sprint("full: exit status ", status, "\n", text))
	}
}
