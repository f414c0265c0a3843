package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/safetensors"
)

// bad is one wrong input: what it does to a directory that holds a good model and good rows, the flags it adds, and what
// the message must say.
type bad struct {
	name string
	make func(t *testing.T, dir string)
	args []string
	want []string
	// A run directory may come into being: the fault shows only in what is computed.
	starts bool
}

// TestBadInput gives the program one wrong input after another. Each must end with exit status 1 and one sentence that
// names what is wrong, and must leave what was in the output directory as it was.
func TestBadInput(t *testing.T) {
	for _, group := range [][]bad{badWeights(), badConfigs(), badRows(), badAdapters(), badFlags()} {
		for _, b := range group {
			t.Run(b.name, func(t *testing.T) { refuse(t, b) })
		}
	}
}

// refuse runs one case. The rows are rows.jsonl and the model lies in model, both in the directory where the program starts.
func refuse(t *testing.T, b bad) {
	dir := t.TempDir()
	copyDir(t, tinyLlama(), filepath.Join(dir, "model"))
	writeFile(t, dir, "rows.jsonl", rowsOf(6, 256, 6, 20, 1))
	writeFile(t, dir, "output/model/v0-20200101-000000/checkpoint-5/adapter_model.safetensors", "precious")
	if b.make != nil {
		b.make(t, dir)
	}
	before := snapshot(t, filepath.Join(dir, "output"))
	args := b.args
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		args = []string{"sft"}
		for _, d := range []string{"model", "dataset"} {
			if !slices.Contains(b.args, "--"+d) {
				args = append(args, "--"+d, map[string]string{"model": "model", "dataset": "rows.jsonl"}[d])
			}
		}
		args = append(append(args, "--max_steps", "2"), b.args...)
	}
	out, status := hone(t, dir, args...)
	if status != 1 {
		t.Fatalf("exit status %d, want 1:\n%s", status, out)
	}
	for _, w := range b.want {
		if !strings.Contains(out, w) {
			t.Errorf("the message lacks %q:\n%s", w, out)
		}
	}
	at := strings.LastIndex("\n"+out, "\nhone: ")
	if message := out[max(at, 0):]; at < 0 || strings.Contains(out, "goroutine") || strings.Contains(message, "Go value") || len(message) > 1000 {
		t.Errorf("this is no clear sentence:\n%s", out)
	}
	after := snapshot(t, filepath.Join(dir, "output"))
	for name, content := range before {
		if after[name] != content {
			t.Errorf("%s was %q, now it is %q", name, content, after[name])
		}
	}
	if !b.starts && len(after) != len(before) {
		t.Errorf("a run directory was made for a run that cannot start: %v", slices.Sorted(maps.Keys(after)))
	}
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// snapshot gives the content of every file under a directory.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// editFile changes the bytes of a file.
func editFile(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(raw), 0o666); err != nil {
		t.Fatal(err)
	}
}

// weights is a change of the model's model.safetensors.
func weights(change func([]byte) []byte) func(*testing.T, string) {
	return func(t *testing.T, dir string) { editFile(t, filepath.Join(dir, "model", "model.safetensors"), change) }
}

// entry is a tensor in a safetensors header.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// header is a change of one tensor's entry in the header; the data stay as they are.
func header(name string, change func(*entry)) func(*testing.T, string) {
	return weights(func(raw []byte) []byte {
		n := binary.LittleEndian.Uint64(raw)
		all := map[string]json.RawMessage{}
		if err := json.Unmarshal(raw[8:8+n], &all); err != nil {
			panic(err)
		}
		var e entry
		if err := json.Unmarshal(all[name], &e); err != nil {
			panic(err)
		}
		change(&e)
		all[name], _ = json.Marshal(e) // such a struct always encodes
		head, _ := json.Marshal(all)
		return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head, raw[8+n:])
	})
}

const (
	someNorm  = "model.norm.weight"                      // [64]
	someQ     = "model.layers.1.self_attn.q_proj.weight" // [64, 64]
	someValue = "model.layers.0.self_attn.v_proj.weight" // [32, 64]
	lastDown  = "model.layers.1.mlp.down_proj.weight"    // [64, 160]
	file      = "model/model.safetensors"
)

func badWeights() []bad {
	return []bad{
		{"truncated", weights(func(raw []byte) []byte { return raw[:len(raw)-1000] }), nil, []string{file, "truncated", "1000", "again"}, false},
		{"truncated_header", weights(func(raw []byte) []byte { return raw[:100] }), nil, []string{file, "header", "truncated"}, false},
		{"empty_weights", weights(func([]byte) []byte { return nil }), nil, []string{file, "empty"}, false},
		{"seven_bytes", weights(func(raw []byte) []byte { return raw[:7] }), nil, []string{file, "7 bytes"}, false},
		{"header_beyond_file", weights(func(raw []byte) []byte { binary.LittleEndian.PutUint64(raw, 50_000_000); return raw }), nil, []string{file, "50000000", "header"}, false},
		{"huge_header", weights(func(raw []byte) []byte { binary.LittleEndian.PutUint64(raw, 1<<62); return raw }), nil, []string{file, "header", "limit"}, false},
		{"header_is_no_json", weights(func(raw []byte) []byte { copy(raw[20:], "\x00\x01{{{{"); return raw }), nil, []string{file, "header", "JSON"}, false},
		{"lfs_pointer", weights(func([]byte) []byte {
			return []byte("version https://git-lfs.github.com/spec/v1\noid sha256:4665a5ea423c2713d436b5ee50593a9640e0018c1550b5a0002f74190d6caea8\nsize 12345\n")
		}), nil, []string{file, "Git LFS", "12345", "git lfs pull"}, false},
		{"overlapping", header(someQ, func(e *entry) { e.Offsets[0] -= 64; e.Offsets[1] -= 64 }), nil, []string{file, "inside tensor", "model.layers.1."}, false},
		{"out_of_range", header(lastDown, func(e *entry) { e.Offsets[0] += 1 << 40; e.Offsets[1] += 1 << 40 }), nil, []string{file, "tensor"}, false},
		{"negative_offset", header(someNorm, func(e *entry) { e.Offsets[0] = -256 }), nil, []string{file, someNorm}, false},
		{"shape_times_dtype", header(someNorm, func(e *entry) { e.Shape = []int{65} }), nil, []string{file, someNorm, "260", "256"}, false},
		{"shape_overflow", header(someNorm, func(e *entry) { e.Shape = []int{math.MaxInt, math.MaxInt, 4} }), nil, []string{file, someNorm}, false},
		{"other_dtype", header(someNorm, func(e *entry) { e.DType, e.Shape = "I64", []int{32} }), nil, []string{"model", someNorm}, false},
		{"dtype_of_bytes", header(someNorm, func(e *entry) { e.DType, e.Shape = "I32", []int{64} }), nil, []string{"model", someNorm, "I32"}, false},
		{"unknown_dtype", header(someNorm, func(e *entry) { e.DType = "F7" }), nil, []string{file, someNorm, "F7"}, false},
		{"transposed_shape", header(someValue, func(e *entry) { e.Shape = []int{64, 32} }), nil, []string{"model", someValue, "[32 64]"}, false},
		{"missing_weights", func(t *testing.T, dir string) { remove(t, dir, file) }, nil, []string{"model", "model.safetensors", "download"}, false},
		{"pickle_only", func(t *testing.T, dir string) {
			remove(t, dir, file)
			writeFile(t, dir, "model/pytorch_model.bin", "x")
		}, nil, []string{"pytorch_model.bin", "convert"}, false},
		{"missing_shard", func(t *testing.T, dir string) {
			remove(t, dir, file)
			writeFile(t, dir, "model/model.safetensors.index.json", `{"weight_map":{"model.norm.weight":"model-00001-of-00002.safetensors"}}`)
		}, nil, []string{"model-00001-of-00002.safetensors", "download"}, false},
		{"shard_elsewhere", func(t *testing.T, dir string) {
			remove(t, dir, file)
			writeFile(t, dir, "model/model.safetensors.index.json", `{"weight_map":{"model.norm.weight":"../../secret.safetensors"}}`)
		}, nil, []string{"../../secret.safetensors"}, false},
		{"nan_weight", setWeight(someQ, math.NaN()), []string{"--split_dataset_ratio", "0"}, []string{someQ, "NaN", "rows.jsonl row", "step 1"}, true},
		{"inf_weight_qlora", setWeight(someQ, math.Inf(1)), []string{"--train_type", "qlora"}, []string{someQ, "model", "Inf"}, true},
		{"nan_weight_held_out", setWeight(someNorm, math.NaN()), []string{"--split_dataset_ratio", "0.5"}, []string{someNorm, "rows.jsonl row"}, true},
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// setWeight sets the first element of a tensor.
func setWeight(name string, x float64) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		f, err := safetensors.Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		info, ok := f.Lookup(name)
		f.Close()
		if !ok {
			t.Fatalf("the model has no %s", name)
		}
		weights(func(raw []byte) []byte {
			binary.LittleEndian.PutUint32(raw[info.Offset:], math.Float32bits(float32(x)))
			return raw
		})(t, dir)
	}
}

// config changes members of the model's config.json; nil takes one out.
func config(members map[string]any) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		editFile(t, filepath.Join(dir, "model", "config.json"), func(raw []byte) []byte {
			var m map[string]any
			if err := json.Unmarshal(raw, &m); err != nil {
				panic(err)
			}
			for k, v := range members {
				if m[k] = v; v == nil {
					delete(m, k)
				}
			}
			raw, err := json.Marshal(m)
			if err != nil {
				panic(err)
			}
			return raw
		})
	}
}

func badConfigs() []bad {
	return []bad{
		{"more_layers", config(map[string]any{"num_hidden_layers": 3}), nil, []string{"model", "config.json", "model.layers.2."}, false},
		{"fewer_layers", config(map[string]any{"num_hidden_layers": 1}), nil, []string{"model", "config.json", "model.layers.1."}, false},
		{"other_hidden_size", config(map[string]any{"hidden_size": 128}), nil, []string{"model", "config.json", "shape"}, false},
		{"other_vocabulary", config(map[string]any{"vocab_size": 300}), nil, []string{"model", "embed_tokens", "300", "256"}, false},
		{"other_kv_heads", config(map[string]any{"num_key_value_heads": 4}), nil, []string{"model", "k_proj"}, false},
		{"other_intermediate", config(map[string]any{"intermediate_size": 161}), nil, []string{"model", "mlp", "161"}, false},
		{"untied_head_missing", func(t *testing.T, dir string) {
			config(map[string]any{"tie_word_embeddings": false})(t, dir)
			header("lm_head.weight", func(e *entry) {})(t, dir)
			weights(func(raw []byte) []byte {
				return bytes.Replace(raw, []byte("lm_head.weight"), []byte("lm_hood.weight"), 1)
			})(t, dir)
		}, nil, []string{"lm_head.weight"}, false},
		{"missing_config", func(t *testing.T, dir string) { remove(t, dir, "model/config.json") }, nil, []string{"config.json", "no such file"}, false},
		{"config_no_json", func(t *testing.T, dir string) { writeFile(t, dir, "model/config.json", "{ model_type: llama }") }, nil, []string{"config.json"}, false},
		{"config_list", func(t *testing.T, dir string) { writeFile(t, dir, "model/config.json", "[]") }, nil, []string{"config.json"}, false},
		{"unknown_model_type", config(map[string]any{"model_type": "mamba"}), nil, []string{"config.json", "mamba", "supported are", "llama"}, false},
		{"no_model_type", config(map[string]any{"model_type": nil}), nil, []string{"config.json", "model_type"}, false},
		{"text_as_size", config(map[string]any{"hidden_size": "64"}), nil, []string{"config.json", "hidden_size"}, false},
		{"negative_size", config(map[string]any{"hidden_size": -64}), nil, []string{"config.json", "hidden_size", "-64"}, false},
		{"billions_of_layers", config(map[string]any{"num_hidden_layers": 2_000_000_000}), nil, []string{"config.json", "num_hidden_layers"}, false},
		{"huge_vocabulary", config(map[string]any{"vocab_size": 1 << 40}), nil, []string{"config.json", "vocab_size"}, false},
		{"odd_heads", config(map[string]any{"num_attention_heads": 3}), nil, []string{"config.json", "heads"}, false},
		{"zero_heads", config(map[string]any{"num_attention_heads": 0}), nil, []string{"config.json", "num_attention_heads"}, false},
		{"rope_scaling", config(map[string]any{"rope_scaling": map[string]any{"rope_type": "yarn", "factor": 4}}), nil, []string{"config.json", "rope", "yarn"}, false},
		{"other_activation", config(map[string]any{"hidden_act": "gelu"}), nil, []string{"config.json", "gelu"}, false},
		{"other_quantisation", config(map[string]any{"quantization_config": map[string]any{"quant_method": "gptq", "bits": 4}}), nil, []string{"gptq"}, false},
		{"model_missing", nil, []string{"--model", "nowhere"}, []string{"nowhere", "config.json"}, false},
		{"model_is_file", nil, []string{"--model", "rows.jsonl"}, []string{"rows.jsonl"}, false},
	}
}

// rows is a change of the rows: a file with this content is the data set.
func rows(name, content string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { writeFile(t, dir, name, content) }
}

func badRows() []bad {
	good := `{"input_ids":[1,2,3],"labels":[-100,2,3]}` + "\n"
	in := []string{"--dataset", "bad.jsonl"}
	row := func(name, line string, want ...string) bad {
		return bad{name, rows("bad.jsonl", good+good+line+"\n"+good), in, append([]string{"bad.jsonl", "row 3"}, want...), false}
	}
	return []bad{
		row("row_is_number", "42"),
		row("row_is_list", "[1,2,3]"),
		row("row_is_broken", `{"input_ids":[1,2,3],"labels":[-100`),
		row("row_is_text", "Once upon a time"),
		row("id_beyond_vocabulary", `{"input_ids":[1,256,3],"labels":[1,2,3]}`, "256", "255"),
		row("id_negative", `{"input_ids":[1,-2,3],"labels":[1,2,3]}`, "-2"),
		row("label_beyond_vocabulary", `{"input_ids":[1,2,3],"labels":[1,2,999]}`, "999", "-100"),
		row("label_negative", `{"input_ids":[1,2,3],"labels":[1,-1,3]}`, "-1", "-100"),
		row("labels_of_other_length", `{"input_ids":[1,2,3],"labels":[1,2]}`, "3", "2"),
		row("ids_are_text", `{"input_ids":"1 2 3"}`, "input_ids"),
		row("ids_are_fractions", `{"input_ids":[1,2.5,3]}`, "2.5"),
		row("ids_are_huge", `{"input_ids":[1,99999999999999999999,3]}`, "input_ids"),
		row("ids_empty", `{"input_ids":[],"labels":[]}`, "input_ids"),
		row("unknown_columns", `{"ids":[1,2,3],"target":[1,2,3]}`, "ids", "target", "input_ids"),
		row("further_column", `{"input_ids":[1,2,3],"weight":2}`, "weight"),
		row("column_twice", `{"input_ids":[1,2,3],"input_ids":[1,2]}`, "twice"),
		row("preference_pair", `{"conversations":[],"chosen":"a","rejected":"b"}`, "preference pairs"),
		row("alpaca_between", `{"instruction":"a","output":"b"}`, "format"),
		{"empty_file", rows("bad.jsonl", ""), in, []string{"no rows"}, false},
		{"blank_file", rows("bad.jsonl", "\n \n"), in, []string{"no rows"}, false},
		{"empty_array", rows("bad.json", "[]"), []string{"--dataset", "bad.json"}, []string{"no rows"}, false},
		{"broken_array", rows("bad.json", `[{"input_ids":[1,2,3]},{"input_ids":[1,2`), []string{"--dataset", "bad.json"}, []string{"bad.json", "row 2"}, false},
		{"binary_file", rows("bad.jsonl", "\x00\x01\x02\xff\xfe"), in, []string{"bad.jsonl"}, false},
		{"table", rows("bad.csv", "instruction,output\na,\"b\n"), []string{"--dataset", "bad.csv"}, []string{"bad.csv", "row 1", "line 2"}, false},
		{"table_of_nothing", rows("bad.tsv", "instruction\toutput\n"), []string{"--dataset", "bad.tsv"}, []string{"bad.tsv", "no rows"}, false},
		{"torn_parquet", rows("bad.parquet", "PAR1 and nothing more"), []string{"--dataset", "bad.parquet"}, []string{"bad.parquet", "Parquet", "download it again"}, false},
		{"table_of_another_name", rows("bad.jsonl", "instruction,output\na,b\n"), in, []string{"CSV", `"instruction", "output"`, ".csv"}, false},
		{"gb18030", rows("bad.jsonl", "{\"text\":\"\xd6\xd0\xb9\xfa\xd2\xbd\xd1\xa7\"}"), in, []string{"row 1", "GB18030", "iconv"}, false},
		{"utf16", rows("bad.jsonl", "{\x00}\x00"), in, []string{"UTF-16"}, false},
		{"sample_of_nothing", nil, []string{"--dataset", "rows.jsonl#0"}, []string{"rows.jsonl#0", "rows.jsonl#500"}, false},
		{"sample_holds_all_out", nil, []string{"--val_dataset_sample", "6"}, []string{"6 rows", "none to train on", "val_dataset_sample"}, false},
		{"columns_unknown", nil, []string{"--columns", `{"frage":"query"}`}, []string{"frage", "no row has"}, false},
		{"val_missing", nil, []string{"--val_dataset", "nowhere.jsonl"}, []string{"nowhere.jsonl"}, false},
		{"missing_file", nil, []string{"--dataset", "nowhere.jsonl"}, []string{"nowhere.jsonl", "no such file"}, false},
		{"second_file_missing", nil, []string{"--dataset", "rows.jsonl,nowhere.jsonl"}, []string{"nowhere.jsonl"}, false},
		{"data_is_directory", nil, []string{"--dataset", "model"}, []string{"model", "directory"}, false},
		{"alpaca_without_tokenizer", rows("bad.json", `[{"instruction":"Say yes","input":"","output":"yes"}]`), []string{"--dataset", "bad.json"}, []string{"bad.json", "row 1", "tokenizer"}, false},
		{"all_too_long", nil, []string{"--max_length", "5"}, []string{"all 6 rows", "longer than 5"}, false},
		{"nothing_supervised", rows("bad.jsonl", strings.Repeat(`{"input_ids":[1,2,3],"labels":[-100,-100,-100]}`+"\n", 3)), in, []string{"-100", "3 rows"}, false},
		{"one_token_rows", rows("bad.jsonl", `{"input_ids":[1],"labels":[1]}`), in, []string{"one token"}, false},
		{"step_unsupervised", rows("bad.jsonl", good+`{"input_ids":[1,2,3],"labels":[-100,-100,-100]}`+"\n"), append(in, "--dataset_shuffle", "false", "--gradient_accumulation_steps", "1"), []string{"step 2", "bad.jsonl row 2", "checkpoint-1"}, true},
	}
}

func badAdapters() []bad {
	adapter := golden("tiny_lora/adapter_init")
	other := golden("tiny_gpt2_lora/adapter_init")
	with := func(more ...string) []string { return append([]string{"--adapter", "adapter"}, more...) }
	copied := func(then func(t *testing.T, dir string)) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			copyDir(t, adapter, filepath.Join(dir, "adapter"))
			if then != nil {
				then(t, dir)
			}
		}
	}
	smaller := func(members string) func(*testing.T, string) {
		return copied(func(t *testing.T, dir string) {
			writeFile(t, dir, "small.json", `{"model_type":"llama","hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":160,"vocab_size":256,"max_position_embeddings":128`+members+`}`)
			if out, status := hone(t, dir, "init", "--config", "small.json", "other"); status != 0 {
				t.Fatal(out)
			}
		})
	}
	to := func(more ...string) []string { return with(append([]string{"--model", "other"}, more...)...) }
	return []bad{
		{"adapter_missing", nil, with(), []string{"adapter", "adapter_config.json"}, false},
		{"adapter_of_other_architecture", nil, []string{"--adapter", other}, []string{"adapter"}, false},
		{"adapter_for_wider_model", smaller(`,"hidden_size":32`), to(), []string{"adapter", "shape", "another model"}, false},
		{"adapter_for_fewer_layers", smaller(`,"num_hidden_layers":3`), to(), []string{"adapter", "layers.2.", "another model"}, false},
		{"adapter_for_more_layers", smaller(`,"num_hidden_layers":1`), to(), []string{"adapter", "layers.1.", "another model"}, false},
		{"adapter_with_other_targets", copied(func(t *testing.T, dir string) {
			editFile(t, filepath.Join(dir, "adapter", "adapter_config.json"), func(raw []byte) []byte { return bytes.Replace(raw, []byte(`"q_proj"`), []byte(`"qkv_proj"`), 1) })
		}), with(), []string{"adapter", "q_proj"}, false},
		{"adapter_other_rank", copied(nil), with("--lora_rank", "16"), []string{"lora_rank", "16", "4"}, false},
		{"adapter_other_alpha", copied(nil), with("--lora_alpha", "99"), []string{"lora_alpha", "99", "8"}, false},
		{"adapter_other_targets", copied(nil), with("--lora_target_modules", "q_proj"), []string{"lora_target_modules", "q_proj"}, false},
		{"adapter_other_rslora", copied(nil), with("--use_rslora"), []string{"use_rslora"}, false},
		{"adapter_other_dropout", copied(nil), with("--lora_dropout", "0.3"), []string{"lora_dropout"}, false},
		{"adapter_with_full", copied(nil), with("--train_type", "full"), []string{"adapter", "full"}, false},
		{"adapter_truncated", copied(func(t *testing.T, dir string) {
			editFile(t, filepath.Join(dir, "adapter", "adapter_model.safetensors"), func(raw []byte) []byte { return raw[:len(raw)/2] })
		}), with(), []string{"adapter_model.safetensors", "truncated"}, false},
		{"adapter_no_weights", copied(func(t *testing.T, dir string) { remove(t, dir, "adapter/adapter_model.safetensors") }), with(), []string{"adapter_model.safetensors"}, false},
		{"adapter_dora", copied(func(t *testing.T, dir string) {
			editFile(t, filepath.Join(dir, "adapter", "adapter_config.json"), func(raw []byte) []byte {
				return bytes.Replace(raw, []byte(`"use_dora": false`), []byte(`"use_dora": true`), 1)
			})
		}), with(), []string{"adapter", "dora"}, false},
		{"target_unknown", nil, []string{"--lora_target_modules", "q_proj,x_proj"}, []string{"x_proj"}, false},
		{"freeze_unknown", nil, []string{"--train_type", "full", "--freeze_parameters", "transformer.h"}, []string{"freeze_parameters", "transformer.h"}, false},
		{"freeze_everything", nil, []string{"--train_type", "full", "--freeze_parameters", "model,lm_head"}, []string{"freeze_parameters", "nothing"}, false},
	}
}

func badFlags() []bad {
	good := `{"input_ids":[1,2,3]}` + "\n"
	return []bad{
		{"unknown_flag", nil, []string{"--learning_rat", "1"}, []string{"--learning_rat", "--learning_rate"}, false},
		{"unknown_flag_far", nil, []string{"--xyzzy", "1"}, []string{"--xyzzy", "--help"}, false},
		{"stray_argument", nil, []string{"--seed", "1", "oops"}, []string{"oops"}, false},
		{"one_dash", nil, []string{"-seed", "1"}, []string{"-seed", "two dashes"}, false},
		{"value_missing", nil, []string{"--seed"}, []string{"seed", "value"}, false},
		{"bad_train_type", nil, []string{"--train_type", "lorra"}, []string{"train_type", "lorra", "lora, qlora or full"}, false},
		{"bad_scheduler", nil, []string{"--lr_scheduler_type", "cosin"}, []string{"lr_scheduler_type", "cosine"}, false},
		{"bad_optim", nil, []string{"--optim", "adam"}, []string{"optim", "adamw or sgd"}, false},
		{"bad_log_format", nil, []string{"--log_format", "xml"}, []string{"log_format", "json"}, false},
		{"bad_boolean", nil, []string{"--packing", "maybe"}, []string{"packing", "maybe", "true or false"}, false},
		{"rank_zero", nil, []string{"--lora_rank", "0"}, []string{"lora_rank", "0"}, false},
		{"rank_fraction", nil, []string{"--lora_rank", "2.5"}, []string{"lora_rank", "2.5"}, false},
		{"rate_nan", nil, []string{"--learning_rate", "nan"}, []string{"learning_rate", "nan"}, false},
		{"rate_inf", nil, []string{"--learning_rate", "inf"}, []string{"learning_rate", "inf"}, false},
		{"rate_negative", nil, []string{"--learning_rate", "-1"}, []string{"learning_rate", "-1"}, false},
		{"dropout_one", nil, []string{"--lora_dropout", "1"}, []string{"lora_dropout"}, false},
		{"steps_zero", nil, []string{"--max_steps", "0"}, []string{"max_steps"}, false},
		{"batch_zero", nil, []string{"--per_device_train_batch_size", "0"}, []string{"per_device_train_batch_size"}, false},
		{"device_nonsense", nil, []string{"--device", "quantum"}, []string{"device", "quantum", "cpu"}, false},
		{"packing_without_length", config(map[string]any{"max_position_embeddings": nil}), []string{"--packing"}, []string{"packing", "max_length"}, false},
		{"eval_without_held_out", nil, []string{"--load_best_model_at_end"}, []string{"load_best_model_at_end", "split_dataset_ratio"}, false},
		{"early_stop_without_held_out", nil, []string{"--early_stop_interval", "2"}, []string{"early_stop_interval", "split_dataset_ratio"}, false},
		{"no_model", nil, []string{"sft", "--dataset", "rows.jsonl"}, []string{"model"}, false},
		{"no_dataset", nil, []string{"sft", "--model", "model"}, []string{"dataset"}, false},
		{"unknown_command", nil, []string{"stf"}, []string{"stf", "\tsft"}, false},
		{"too_little_memory", nil, []string{"--device_memory", "1MB", "--per_device_train_batch_size", "64"}, []string{"MiB more than --device_memory", "qlora", "--per_device_train_batch_size", "hone plan"}, false},
		{"batch_beyond_machine", rows("long.jsonl", rowsOf(2, 256, 120, 128, 1)), []string{"--dataset", "long.jsonl", "--per_device_train_batch_size", "1000000", "--train_type", "full"}, []string{"more than", "--train_type lora", "--per_device_train_batch_size", "--max_length"}, false},
		{"columns_no_object", nil, []string{"--columns", "[1]"}, []string{"columns", "object"}, false},
		{"interleave_count", nil, []string{"--interleave_prob", "0.5,0.5"}, []string{"interleave_prob", "dataset 1"}, false},
		{"strategy_unknown", nil, []string{"--truncation_strategy", "middle"}, []string{"truncation_strategy", "delete, left, right or split"}, false},
		{"preview_nothing", nil, []string{"--preview", "0"}, []string{"--preview", "at least 1"}, false},
		{"save_steps_zero", nil, []string{"--save_steps", "0"}, []string{"save_steps is 0"}, false},
		{"inspect_nothing", nil, []string{"inspect", "nowhere"}, []string{"nowhere"}, false},
		{"inspect_rows", nil, []string{"inspect", "rows.jsonl"}, []string{"rows.jsonl", "safetensors"}, false},
		{"init_over_model", nil, []string{"init", "--config", "model/config.json", "model"}, []string{"exists already"}, false},
		{"init_bad_config", func(t *testing.T, dir string) { writeFile(t, dir, "c.json", `{"model_type":"llama"}`) }, []string{"init", "--config", "c.json", "new"}, []string{"hidden_size"}, false},
		{"plan_bad_rows", rows("bad.jsonl", good+"42\n"), []string{"plan", "--model", "model", "--dataset", "bad.jsonl"}, []string{"bad.jsonl", "row 2"}, false},
		{"resume_nowhere", nil, []string{"sft", "--resume_from_checkpoint", "nowhere"}, []string{"nowhere"}, false},
		{"resume_foreign", nil, []string{"sft", "--resume_from_checkpoint", "output/model/v0-20200101-000000/checkpoint-5"}, []string{"checkpoint-5", "state.json"}, false},
	}
}
