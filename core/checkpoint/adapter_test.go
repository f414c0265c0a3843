package checkpoint

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"hone/core/golden"
	"hone/core/safetensors"
	"hone/core/tensor"
)

func toTensors(m map[string]tensor.Host) []safetensors.Tensor {
	var out []safetensors.Tensor
	for name, h := range m {
		out = append(out, safetensors.FromHost(name, h))
	}
	return out
}

func plainJSON(t *testing.T, path string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Adapters that PEFT wrote come out the same when they are read and written again: every tensor, every member.
func TestAdaptersRoundTrip(t *testing.T) {
	dir := golden.Root(t)
	var paths []string
	for _, pattern := range []string{"testdata/golden/*/adapter_*", "../shared/golden/*/adapter_*", "../shared/data/adapters/*"} {
		found, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		paths = append(paths, found...)
	}
	// What is no plain LoRA among the shared cases must be refused, with the reason.
	refused := map[string]string{
		"bitfit": "peft_type", "adapter_houlsby": "peft_type", "prompt_tuning": "peft_type", "p_tuning": "peft_type", "prefix_tuning": "peft_type",
		"dora": "DoRA", "seq_cls": "task_type", "reward_model": "task_type",
	}
	done := 0
	for _, path := range paths {
		if want := refused[filepath.Base(filepath.Dir(path))]; want != "" {
			if _, _, err := ReadAdapter(path); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", path, err, want)
			}
			continue
		}
		c, tensors, err := ReadAdapter(path)
		if err != nil {
			if strings.Contains(path, "ppo_update") { // it has a value head beside
				continue
			}
			t.Errorf("%s: %v", path, err)
			continue
		}
		out := t.TempDir()
		if err := WriteAdapter(out, c, toTensors(tensors)); err != nil {
			t.Fatal(err)
		}
		c2, tensors2, err := ReadAdapter(out)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(tensors, tensors2) || len(tensors) == 0 {
			t.Errorf("%s: the tensors differ", path)
		}
		if c.Rank != c2.Rank || c.Scale() != c2.Scale() || c.Dropout != c2.Dropout {
			t.Errorf("%s: %+v became %+v", path, c, c2)
		}
		if a, b := plainJSON(t, filepath.Join(path, AdapterFile)), plainJSON(t, filepath.Join(out, AdapterFile)); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: the configuration\n%v became\n%v", path, a, b)
		}
		before, _ := safetensors.Open(filepath.Join(path, AdapterTensors))
		after, err := safetensors.Open(filepath.Join(out, AdapterTensors))
		if err != nil {
			t.Fatal(err)
		}
		if after.Metadata()["format"] != "pt" || len(before.Tensors()) != len(after.Tensors()) {
			t.Errorf("%s: metadata %v, %d tensors of %d", path, after.Metadata(), len(after.Tensors()), len(before.Tensors()))
		}
		before.Close()
		after.Close()
		done++
	}
	t.Logf("%d adapters", done)
	if done < 4 {
		t.Errorf("only %d adapters read", done)
	}
}

func TestTinyAdapter(t *testing.T) {
	a, err := OpenAdapter(golden.Own(t, "tiny_lora/adapter_init"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if len(a.Modules) != 14 || a.Modules[0] != "model.layers.0.mlp.down_proj" || a.Config.Rank != 4 || a.Config.Scale() != 2 || len(a.Config.Targets) != 7 {
		t.Errorf("modules %q, %+v", a.Modules, a.Config)
	}
	in, out, err := a.Shapes("model.layers.0.mlp.down_proj")
	A, B, err2 := a.Read("model.layers.0.mlp.down_proj")
	if err != nil || err2 != nil || in != 160 || out != 64 || !A.Type.Equal(tensor.Of(tensor.F32, 4, 160)) || !B.Type.Equal(tensor.Of(tensor.F32, 64, 4)) {
		t.Errorf("in %d, out %d, A %v, B %v, %v %v", in, out, A.Type, B.Type, err, err2)
	}
	if _, _, err := a.Read("lm_head"); err == nil || !strings.Contains(err.Error(), "lm_head") {
		t.Errorf("a module without adapter: %v", err)
	}
}

// A new configuration has the members and values of one that PEFT wrote.
func TestNewAdapterConfig(t *testing.T) {
	golden := filepath.Join(golden.Root(t), "testdata", "golden", "tiny_lora", "adapter_init", AdapterFile)
	want := plainJSON(t, golden)
	c := NewAdapterConfig("../tiny_llama", 4, 8, 0, false, []string{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"})
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	for _, later := range []string{"layer_replication", "use_dora"} { // older versions with rsLoRA do not know them
		delete(want, later)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if !bytes.Contains(raw, []byte(`"lora_dropout":0.0`)) || !bytes.Contains(raw, []byte(`"lora_alpha":8,`)) {
		t.Errorf("numbers as %s", raw)
	}
	if c, err = ParseAdapterConfig(raw); err != nil || c.Scale() != 2 {
		t.Errorf("read back: %+v, %v", c, err)
	}
	c.RSLoRA, c.Alpha = true, 3
	if c.Scale() != 1.5 {
		t.Errorf("rsLoRA scale %v, want 3/sqrt(4)", c.Scale())
	}
}

const minimal = `"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q"]`

func TestAdapterConfigRefuses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{``, "not a JSON object"},
		{`null`, "null"},
		{`[]`, "not a JSON object"},
		{`{}`, "peft_type"},
		{`{"peft_type":"IA3"}`, `"IA3"; only LORA`},
		{`{"peft_type":"LORA"}`, "r is missing"},
		{`{"peft_type":"LORA","r":2,"lora_alpha":4}`, "target_modules"},
		{`{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":[]}`, "names no module"},
		{`{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":[null]}`, "empty name"},
		{`{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":7}`, "list of names or one string"},
		{`{"peft_type":"LORA","r":0,"lora_alpha":4,"target_modules":["q"]}`, "r is 0"},
		{`{"peft_type":"LORA","r":2.5,"lora_alpha":4,"target_modules":["q"]}`, "whole number"},
		{`{"peft_type":"LORA","r":1e300,"lora_alpha":4,"target_modules":["q"]}`, "r is"},
		{`{"peft_type":"LORA","r":"8","lora_alpha":4,"target_modules":["q"]}`, "r: json"},
		{`{"peft_type":"LORA","r":2,"lora_alpha":0,"target_modules":["q"]}`, "lora_alpha is 0"},
		{`{` + minimal + `,"lora_dropout":1}`, "lora_dropout is 1"},
		{`{` + minimal + `,"use_rslora":"yes"}`, "use_rslora"},
		{`{` + minimal + `,"use_dora":true}`, "DoRA"},
		{`{` + minimal + `,"bias":"lora_only"}`, "biases of the model"},
		{`{` + minimal + `,"lora_bias":true}`, "bias in the adapter"},
		{`{` + minimal + `,"rank_pattern":{"q":0}}`, "rank_pattern has the rank 0"},
		{`{` + minimal + `,"rank_pattern":{"q":1.5}}`, "rank_pattern has the rank 1.5"},
		{`{` + minimal + `,"rank_pattern":{"q":"4"}}`, "rank_pattern must be"},
		{`{` + minimal + `,"rank_pattern":[4]}`, "rank_pattern must be"},
		{`{` + minimal + `,"rank_pattern":{"(?=q)":4}}`, "no regular expression of Go"},
		{`{` + minimal + `,"rank_pattern":{"` + strings.Repeat("q", 5000) + `":4}}`, "at most 4096"},
		{`{` + minimal + `,"alpha_pattern":{"q":0}}`, "alpha_pattern has 0"},
		{`{` + minimal + `,"alpha_pattern":7}`, "alpha_pattern must be"},
		{`{` + minimal + `,"layers_to_transform":"all"}`, "layers_to_transform must be"},
		{`{` + minimal + `,"layers_to_transform":[1.5]}`, "layers_to_transform must be"},
		{`{` + minimal + `,"layers_to_transform":[1],"layers_pattern":7}`, "layers_pattern must be"},
		{`{` + minimal + `,"layers_to_transform":[1],"layers_pattern":["("]}`, "layers_pattern has the pattern"},
		{`{` + minimal + `,"layers_pattern":["h"]}`, "layers_pattern goes with layers_to_transform"},
		{`{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":".*q","layers_to_transform":[1]}`, "target_modules as a list"},
		{`{` + minimal + `,"exclude_modules":{"q":1}}`, "exclude_modules must be"},
		{`{` + minimal + `,"exclude_modules":"["}`, "exclude_modules has the pattern"},
		{`{` + minimal + `,"target_parameters":["q"]}`, "bare parameters"},
		{`{` + minimal + `,"trainable_token_indices":[1]}`, "token embeddings"},
		{`{` + minimal + `,"layer_replication":[[0,1]]}`, "replicated layers"},
		{`{` + minimal + `,"modules_to_save":["lm_head"]}`, "whole modules"},
		{`{` + minimal + `,"task_type":"SEQ_CLS"}`, "task_type"},
		{`{` + minimal + `,"init_lora_weights":"pissa"}`, "base model's weights"},
		{`{` + minimal + `,"use_magic":true}`, "use_magic is true"},
	} {
		_, err := ParseAdapterConfig([]byte(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.in, err, c.want)
		}
	}
	for _, ok := range []string{minimal, minimal + `,"use_magic":false,"bias":"none","modules_to_save":[],"task_type":null,"init_lora_weights":false`} {
		if _, err := ParseAdapterConfig([]byte("{" + ok + "}")); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		targets, module string
		want            bool
	}{
		{`["q"]`, "m.q", true}, {`["q"]`, "q", true}, {`["q"]`, "m.xq", false}, {`["a.q"]`, "m.a.q", true}, {`["a.q"]`, "m.b.q", false},
		{`"all-linear"`, "x", true}, {`".*\\.(q|v)"`, "m.v", true}, {`".*\\.(q|v)"`, "m.vv", false}, {`"(?=lookahead)"`, "m", true},
	} {
		cfg, err := ParseAdapterConfig([]byte(`{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":` + c.targets + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.Covers(c.module); got != c.want {
			t.Errorf("%s covers %s: %v", c.targets, c.module, got)
		}
	}
}

func TestAdapterRefuses(t *testing.T) {
	z := func(name string, shape ...int) safetensors.Tensor {
		return safetensors.Floats(name, make([]float32, tensor.Shape(shape).Elements()), shape...)
	}
	a, b := AdapterKeys("m.q")
	for what, c := range map[string]struct {
		tensors []safetensors.Tensor
		want    string
	}{
		"no tensors":       {nil, "no tensor"},
		"only A":           {[]safetensors.Tensor{z(a, 2, 3)}, `"m.q" has only one of`},
		"another rank":     {[]safetensors.Tensor{z(a, 3, 3), z(b, 3, 3)}, "wrong shape for rank 2"},
		"turned around":    {[]safetensors.Tensor{z(a, 3, 2), z(b, 2, 3)}, "wrong shape"},
		"empty axis":       {[]safetensors.Tensor{z(a, 2, 0), z(b, 3, 2)}, "wrong shape"},
		"another module":   {[]safetensors.Tensor{z("base_model.model.m.k.lora_A.weight", 2, 3)}, "leaves out"},
		"embedding":        {[]safetensors.Tensor{z("base_model.model.m.q.lora_embedding_A", 2, 3)}, "no LoRA weight"},
		"a model's tensor": {[]safetensors.Tensor{z("m.q.weight", 2, 3)}, "no LoRA weight"},
		"integers":         {[]safetensors.Tensor{safetensors.FromHost(a, tensor.Ints(make([]int32, 6), 2, 3))}, "type I32"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, AdapterFile), []byte("{"+minimal+"}"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := safetensors.WriteFile(filepath.Join(dir, AdapterTensors), c.tensors, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenAdapter(dir); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), AdapterTensors) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
	dir := t.TempDir()
	for _, c := range []struct{ file, want string }{
		{"", "there is no adapter_config.json"},
		{AdapterFile, "there is no adapter_model.safetensors"},
		{"adapter_model.bin", "convert it"},
	} {
		if c.file != "" {
			if err := os.WriteFile(filepath.Join(dir, c.file), []byte("{"+minimal+"}"), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := OpenAdapter(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.file, err, c.want)
		}
	}
	if err := WriteAdapter(t.TempDir(), AdapterConfig{}, []safetensors.Tensor{z("x", 1)}); err == nil {
		t.Error("a tensor of another kind is written")
	}
}

func FuzzAdapterConfig(f *testing.F) {
	f.Add([]byte("{" + minimal + "}"))
	f.Add([]byte("{" + minimal + `,"lora_dropout":1e-9,"use_rslora":true,"fan_in_fan_out":true,"x":[{}],"base_model_name_or_path":"a"}`))
	f.Add([]byte(`{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":"(a*)*b"}`))
	f.Add([]byte("{" + minimal + `,"rank_pattern":{"layers.0.q":4,"q|v":8},"alpha_pattern":{"q":1.5},"layers_to_transform":[0,2],"layers_pattern":["layers","h"],"exclude_modules":["x"]}`))
	f.Add([]byte("{" + minimal + `,"rank_pattern":{"(a+)+$":4},"layers_to_transform":3,"exclude_modules":"(x+)+"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseAdapterConfig(data)
		if err != nil {
			return
		}
		c.Covers("model.layers.0.q")
		if c.RankOf("model.layers.0.q") < 1 || math.IsNaN(c.ScaleOf("model.layers.0.q")) {
			t.Fatalf("rank %d, scale %v", c.RankOf("model.layers.0.q"), c.ScaleOf("model.layers.0.q"))
		}
		raw, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseAdapterConfig(raw)
		if err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		again, err := json.Marshal(back)
		if err != nil || !bytes.Equal(raw, again) {
			t.Fatalf("%s became %s, %v", raw, again, err)
		}
	})
}
