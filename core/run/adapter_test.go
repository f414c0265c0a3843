package run

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"hone/core/checkpoint"
	"hone/core/device/cpu"
	"hone/core/golden"
	"hone/core/nn"
	"hone/core/recipe"
	"hone/core/safetensors"
	"hone/core/tensor"
	"hone/core/wire"
)

// hollowModel writes a model directory of the true shape of a config.json whose weights are a hole in the file: zeros in
// BF16 that take no space.
func hollowModel(t *testing.T, config []byte) string {
	t.Helper()
	m, err := nn.Parse(config)
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	header, at := map[string]entry{}, int64(0)
	for _, p := range m.Params() {
		shape := slices.Clone(p.Shape)
		if p.FanInFanOut {
			slices.Reverse(shape)
		}
		end := at + 2*int64(shape.Elements())
		header[p.Name], at = entry{"BF16", shape, [2]int64{at, end}}, end
	}
	raw, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, safetensors.SingleName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := len(raw)
	if _, err := f.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), 0, 0, 0, 0, 0}, raw...)); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(8 + int64(n) + at); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

const gpt2Small = `{"model_type":"gpt2","n_embd":768,"n_layer":12,"n_head":12,"n_positions":1024,"n_ctx":1024,"vocab_size":50257,"bos_token_id":50256,"eos_token_id":50256,"torch_dtype":"bfloat16"}`

// publishedAdapter prepares a run on a base of the true shape that goes on with an adapter that PEFT wrote.
func publishedAdapter(t *testing.T, adapter string, config []byte) *Job {
	t.Helper()
	rows := filepath.Join(t.TempDir(), "rows.jsonl")
	if err := os.WriteFile(rows, []byte(`{"input_ids":[5,6,7,8],"labels":[-100,6,7,8]}`+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse([]string{"--model", hollowModel(t, config), "--adapter", adapter, "--dataset", rows, "--output_dir", t.TempDir(), "--max_steps", "1",
		"--learning_rate", "0", "--device_memory", "1TB", "--split_dataset_ratio", "0"})
	if err != nil {
		t.Fatal(err)
	}
	dev := cpu.New(1)
	t.Cleanup(func() { dev.Close() })
	j, err := Prepare(t.Context(), r, dev, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// sameAdapter compares PEFT directories: every tensor by name, type, shape and bytes, and every member of the
// configuration but those that name the base.
func sameAdapter(t *testing.T, want, got string) {
	t.Helper()
	w, err := safetensors.Open(filepath.Join(want, checkpoint.AdapterTensors))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	g, err := safetensors.Open(filepath.Join(got, checkpoint.AdapterTensors))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if len(w.Tensors()) != len(g.Tensors()) || g.Metadata()["format"] != "pt" {
		t.Errorf("%d tensors, want %d; metadata %v", len(g.Tensors()), len(w.Tensors()), g.Metadata())
	}
	for _, info := range w.Tensors() {
		other, _ := g.Lookup(info.Name)
		if other.DType != info.DType || !other.Shape.Equal(info.Shape) {
			t.Errorf("%s is %s%v, want %s%v", info.Name, other.DType, other.Shape, info.DType, info.Shape)
			continue
		}
		a, errA := w.ReadBytes(info.Name)
		b, errB := g.ReadBytes(info.Name)
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s has other bytes (%v, %v)", info.Name, errA, errB)
		}
	}
	members := func(dir string) (m map[string]any) {
		raw, err := os.ReadFile(filepath.Join(dir, checkpoint.AdapterFile))
		if err == nil {
			err = json.Unmarshal(raw, &m)
		}
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	before, after := members(want), members(got)
	for name, v := range before {
		if name != "base_model_name_or_path" && name != "fan_in_fan_out" && fmt.Sprint(v) != fmt.Sprint(after[name]) {
			t.Errorf("%s was %v and is %v", name, v, after[name])
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("the configuration has got a member %s", name)
		}
	}
}

// The adapters that others published go onto bases of their true shapes, every tensor in its place, and come out again.
func TestPublishedAdapters(t *testing.T) {
	qwen, err := os.ReadFile(golden.Shared(t, "data/adapters/qwen2.5-3b-r4/config.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		config  []byte
		tensors int
		turned  bool
	}{{"gpt2-r8", []byte(gpt2Small), 24, true}, {"qwen2.5-3b-r4", qwen, 144, false}} {
		t.Run(c.name, func(t *testing.T) {
			dir := golden.Shared(t, "data/adapters/"+c.name)
			j := publishedAdapter(t, dir, c.config)
			if len(j.setup.Trained) != c.tensors || len(j.adapter) != c.tensors {
				t.Fatalf("%d tensors train and %d were read, want %d", len(j.setup.Trained), len(j.adapter), c.tensors)
			}
			var tensors []safetensors.Tensor
			for _, p := range j.setup.Trained {
				h := j.adapter[p.Name]
				if !h.Type.Equal(tensor.Type{DType: tensor.F32, Shape: p.Shape}) {
					t.Errorf("%s is %v, the model wants %v", p.Name, h.Type, p.Shape)
				}
				tensors = append(tensors, safetensors.FromHost(p.Name, h))
			}
			out := t.TempDir()
			config := j.adapterConfig()
			if config.FanInFanOut != c.turned || config.BaseModel != j.Recipe.Model {
				t.Errorf("fan_in_fan_out %v, base %s", config.FanInFanOut, config.BaseModel)
			}
			if err := checkpoint.WriteAdapter(out, config, tensors); err != nil {
				t.Fatal(err)
			}
			sameAdapter(t, dir, out)
		})
	}
}

// A run that changes nothing writes the adapter that it began with.
func TestPublishedAdapterRuns(t *testing.T) {
	dir := golden.Shared(t, "data/adapters/gpt2-r8")
	j := publishedAdapter(t, dir, []byte(gpt2Small))
	dev := cpu.New(0)
	defer dev.Close()
	result, err := Start(t.Context(), j.Recipe, dev, func(wire.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	sameAdapter(t, dir, result.Directory)
}

// patterned writes an adapter for tiny_llama by hand: modules with ranks of their own, random values, and B of one module
// doubled.
func patterned(t *testing.T, members string, ranks map[string]int, doubled string) string {
	t.Helper()
	dir := t.TempDir()
	config := `{"peft_type":"LORA","task_type":"CAUSAL_LM","r":2,"lora_alpha":4,"lora_dropout":0.0,"bias":"none","base_model_name_or_path":"elsewhere",` + members + `}`
	if err := os.WriteFile(filepath.Join(dir, checkpoint.AdapterFile), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	var tensors []safetensors.Tensor
	for module, rank := range ranks {
		a, b := checkpoint.AdapterKeys(module)
		for _, s := range []struct {
			name  string
			shape []int
		}{{a, []int{rank, 64}}, {b, []int{map[bool]int{true: 64, false: 32}[module[len(module)-6] == 'q'], rank}}} {
			v := make([]float32, s.shape[0]*s.shape[1])
			for i := range v {
				v[i] = float32((i*7+len(s.name)*3)%11-5) / 64
				if s.name == b && module == doubled {
					v[i] *= 2
				}
			}
			tensors = append(tensors, safetensors.Floats(s.name, v, s.shape...))
		}
	}
	if err := safetensors.WriteFile(filepath.Join(dir, checkpoint.AdapterTensors), tensors, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Ranks and alphas of single modules, layers left out and modules excluded hold while a run trains, in what it writes, and
// when it is resumed; members that this program does not know survive.
func TestAdapterPatterns(t *testing.T) {
	const q0, v0, q1 = "model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj", "model.layers.1.self_attn.q_proj"
	rows := filepath.Join(t.TempDir(), "rows.jsonl")
	if err := os.WriteFile(rows, []byte(`{"input_ids":[5,6,7,8,9,10],"labels":[-100,6,7,8,9,10]}`+"\n"+`{"input_ids":[15,16,17],"labels":[-100,16,17]}`+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	dev := cpu.New(0)
	defer dev.Close()
	train := func(args ...string) (loss []float64, result Result) {
		t.Helper()
		r, err := recipe.Parse(append(args, "--logging_steps", "1", "--save_steps", "1"))
		if err != nil {
			t.Fatal(err)
		}
		result, err = Start(t.Context(), r, dev, func(e wire.Event) {
			if s, ok := e.(wire.Stepped); ok {
				loss = append(loss, s.Loss)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return loss, result
	}
	fresh := func(adapter string) []string {
		return []string{"--model", golden.Own(t, "tiny_llama"), "--adapter", adapter, "--dataset", rows, "--output_dir", t.TempDir(), "--max_steps", "3", "--learning_rate", "0.05",
			"--per_device_train_batch_size", "2", "--split_dataset_ratio", "0"}
	}
	members := `"target_modules":["q_proj","v_proj","nowhere"],"rank_pattern":{"layers.0.q_proj|layers.0.self_attn.q_proj":5},"exclude_modules":["layers.1.self_attn.v_proj"],"a_note":{"of":["ours"]}`
	ranks := map[string]int{q0: 5, v0: 2, q1: 2}
	loss, result := train(fresh(patterned(t, members+`,"alpha_pattern":{"layers.0.self_attn.v_proj":8}`, ranks, ""))...)
	same, _ := train(fresh(patterned(t, members, ranks, v0))...)
	other, _ := train(fresh(patterned(t, members, ranks, ""))...)
	if len(loss) != 3 || loss[0] != same[0] || loss[0] == other[0] {
		t.Errorf("losses %v: the first should be %v, that of a doubled B, and not %v, that of the common alpha", loss, same[0], other[0])
	}
	if !(loss[2] < loss[0]) {
		t.Errorf("losses are %v; they should fall", loss)
	}
	cfg, tensors, err := checkpoint.ReadAdapter(result.Directory)
	if err != nil {
		t.Fatal(err)
	}
	if len(tensors) != 6 || cfg.RankOf(q0) != 5 || cfg.AlphaOf(v0) != 8 || cfg.Covers("model.layers.1.self_attn.v_proj") {
		t.Errorf("%d tensors, rank %d, alpha %v", len(tensors), cfg.RankOf(q0), cfg.AlphaOf(v0))
	}
	raw, err := os.ReadFile(filepath.Join(result.Directory, checkpoint.AdapterFile))
	if err != nil {
		t.Fatal(err)
	}
	var kept map[string]any
	if err := json.Unmarshal(raw, &kept); err != nil || fmt.Sprint(kept["a_note"]) != "map[of:[ours]]" || fmt.Sprint(kept["target_modules"]) != "[q_proj v_proj nowhere]" {
		t.Errorf("the configuration is %s (%v)", raw, err)
	}
	want, err := os.ReadFile(filepath.Join(result.Directory, checkpoint.AdapterTensors))
	if err != nil {
		t.Fatal(err)
	}
	_, resumed := train("--resume_from_checkpoint", filepath.Join(result.Run, "checkpoint-1"))
	got, err := os.ReadFile(filepath.Join(resumed.Directory, checkpoint.AdapterTensors))
	if err != nil || !bytes.Equal(want, got) {
		t.Errorf("the resumed run ends elsewhere (%v)", err)
	}
	if again, err := os.ReadFile(filepath.Join(resumed.Directory, checkpoint.AdapterFile)); err != nil || !bytes.Equal(raw, again) {
		t.Errorf("the resumed run has the configuration %s (%v), want %s", again, err, raw)
	}

	// Only the layers that are named, by number.
	loss, result = train(fresh(patterned(t, `"target_modules":["q_proj"],"layers_to_transform":[1]`, map[string]int{q1: 2}, ""))...)
	if _, tensors, err = checkpoint.ReadAdapter(result.Directory); err != nil || len(tensors) != 2 || len(loss) != 3 {
		t.Errorf("%d tensors (%v), losses %v", len(tensors), err, loss)
	}
}
