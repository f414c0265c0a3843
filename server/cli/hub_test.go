package cli

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/checkpoint"
	"hone/core/hub"
	"hone/core/hub/hubtest"
	"hone/core/tokenizer"
)

// hubWorld starts a hub, lets the program use it, and goes to an empty directory.
func hubWorld(t *testing.T) *hubtest.Server {
	dial := hub.Dial // a server or a worker of another test, in this process, reaches public addresses alone
	hub.Dial = nil
	t.Cleanup(func() { hub.Dial = dial })
	s := hubtest.New(t)
	for _, v := range s.Environ(t) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	return s
}

// filesOf reads a directory as the files of a repository.
func filesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// medicalRows are lines as shibing624/medical has them, every question with an answer of its own.
func medicalRows(n int, seed uint64) []byte {
	parts := []string{"头晕", "血热", "感冒", "胃痛", "失眠", "高血压", "糖尿病", "咳嗽"}
	asks := []string{"怎么办", "有哪些临床表现", "吃什么药", "需要做什么检查"}
	answers := []string{"多休息，多喝水", "及时到医院检查", "注意饮食清淡", "测量血压后再决定"}
	r := rand.New(rand.NewPCG(seed, 3))
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"instruction": "%s%s？第%d问", "input": "", "output": "%s，%s。"}`+"\n", parts[r.IntN(len(parts))], asks[r.IntN(len(asks))], i,
			answers[r.IntN(len(answers))], answers[r.IntN(len(answers))])
	}
	return b.Bytes()
}

// sentencePiece writes a trained vocabulary as tokenizer.model: the fields of sentencepiece_model.proto that BPE needs.
func sentencePiece(v *tokenizer.Trained) []byte {
	var out []byte
	field := func(to []byte, number int, content []byte) []byte {
		to = binary.AppendUvarint(to, uint64(number)<<3|2)
		return append(binary.AppendUvarint(to, uint64(len(content))), content...)
	}
	score := map[string]float32{}
	for rank, m := range v.Merges {
		score[m[0]+m[1]] = -float32(rank) - 1
	}
	for i, text := range v.Vocab {
		kind := 1
		switch {
		case i == 0:
			kind = 2
		case i < len(v.Specials):
			kind = 3
		case len(text) == 6 && strings.HasPrefix(text, "<0x"):
			kind = 6
		}
		piece := field(nil, 1, []byte(text))
		piece = binary.LittleEndian.AppendUint32(append(piece, 2<<3|5), math.Float32bits(score[text]))
		out = field(out, 1, append(piece, 3<<3, byte(kind)))
	}
	out = field(out, 2, []byte{3 << 3, 2, 35<<3&0x7f | 0x80, 35 >> 4, 1}) // trainer_spec: BPE, byte_fallback
	return field(out, 3, append([]byte{3 << 3, 1, 4 << 3, 0}, 5<<3, 1))
}

// chatGLM3 is a random model of ChatGLM3's shape, with the files that its repository has.
func chatGLM3(t *testing.T, rows []byte) map[string][]byte {
	t.Helper()
	vocabulary, err := tokenizer.Train(slices.Values(strings.Split(string(rows), "\n")), tokenizer.TrainOptions{VocabSize: 460})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := writeFile(t, dir, "config.json", `{"model_type":"chatglm","architectures":["ChatGLMModel"],"torch_dtype":"float16","hidden_size":64,"num_layers":2,"num_attention_heads":4,
		"multi_query_attention":true,"multi_query_group_num":2,"kv_channels":16,"ffn_hidden_size":96,"padded_vocab_size":512,"seq_length":1024,"add_qkv_bias":true,"add_bias_linear":false,
		"rmsnorm":true,"layernorm_epsilon":1e-05,"original_rope":true,"post_layer_norm":true,"tie_word_embeddings":false,"eos_token_id":2,"pad_token_id":0,"initializer_range":0.05}`)
	if out, status := hone(t, dir, "init", "--config", config, "--seed", "3", "--dtype", "float16", "--max_shard_size", "100KB", "model"); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	files := filesOf(t, filepath.Join(dir, "model"))
	files["tokenizer.model"] = sentencePiece(vocabulary)
	files["tokenizer_config.json"] = []byte(`{"name_or_path":"THUDM/chatglm3-6b","remove_space":false,"do_lower_case":false,"tokenizer_class":"ChatGLMTokenizer","auto_map":{"AutoTokenizer":["tokenization_chatglm.ChatGLMTokenizer",null]}}`)
	files["modeling_chatglm.py"] = []byte("raise SystemExit")
	files["pytorch_model-00001-of-00007.bin"] = []byte("pickle")
	files["README.md"] = []byte("---\nlicense: other\n---\n")
	return files
}

// TestCourse is the command line of the course, but for the program's name, and then a comparison without a path.
func TestCourse(t *testing.T) {
	rows := medicalRows(2300, 1)
	data := map[string][]byte{"README.md": nil, "pretrain/train_encyclopedia.json": []byte(`{"text": "no"}`), "reward/train.json": []byte(`{}`),
		"finetune/train_zh_0.json": rows, "finetune/valid_zh_0.json": medicalRows(10, 2), "finetune/test_zh_0.json": medicalRows(10, 3), "finetune/train_en_1.json": []byte("{}")}
	model := chatGLM3(t, rows)
	const line = "sft --model_type chatglm3-6b --sft_type qlora --dataset shibing624/medical-QA-zh --train_dataset_sample 2000 --eval_dataset_sample 200 --output_dir ./output_model " +
		"--num_train_epochs 1 --max_length 1024 --learning_rate 1e-4 --lora_target_modules ALL --use_flash_attn true --use_flash_attn true"

	s := hubWorld(t)
	s.Add("models", "ZhipuAI/chatglm3-6b", model)
	s.Add("datasets", "shibing624/medical", data)
	dir := t.TempDir()
	out, status := hone(t, dir, strings.Fields(line)...)
	if status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	if n := strings.Count(out, "--use_flash_attn true does nothing"); n != 1 {
		t.Errorf("use_flash_attn is explained %d times:\n%s", n, out)
	}
	checkpoints, _ := filepath.Glob(filepath.Join(dir, "output_model", "chatglm3-6b", "v0-????????-??????", "checkpoint-125"))
	if len(checkpoints) != 1 {
		t.Fatalf("checkpoints: %v\n%s", checkpoints, out)
	}
	for _, want := range []string{"ZhipuAI/chatglm3-6b on ", "2300 read", "2000 to train on, 200 held out", "eval_loss", "downloading ZhipuAI/chatglm3-6b from ModelScope", "downloading shibing624/medical from Hugging Face"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	var adapter struct {
		Base    string   `json:"base_model_name_or_path"`
		Targets []string `json:"target_modules"`
	}
	readJSON(t, filepath.Join(checkpoints[0], "adapter_config.json"), &adapter)
	if slices.Sort(adapter.Targets); adapter.Base != "ZhipuAI/chatglm3-6b" || !slices.Equal(adapter.Targets, []string{"dense", "dense_4h_to_h", "dense_h_to_4h", "query_key_value"}) {
		t.Errorf("adapter %+v", adapter)
	}
	var manifest checkpoint.Manifest
	readJSON(t, filepath.Join(filepath.Dir(checkpoints[0]), "manifest.json"), &manifest)
	if len(manifest.Sources) != 2 || manifest.Sources[0].Hub != "ms" || manifest.Sources[1].ID != "shibing624/medical" || manifest.Sources[1].Name != "shibing624/medical-QA-zh" || len(manifest.Sources[0].Revision) != 40 {
		t.Errorf("sources %+v", manifest.Sources)
	}
	for _, where := range []string{"latest", filepath.Join("output_model", "chatglm3-6b"), "output_model", filepath.Dir(checkpoints[0]), checkpoints[0]} {
		out, status := hone(t, dir, "compare", "--run", where, "--prompt", "头晕怎么办？", "--max_new_tokens", "4")
		if status != 0 || !strings.Contains(out, "头晕怎么办？") || !strings.Contains(out, "step 125") {
			t.Errorf("compare --run %s: exit status %d:\n%s", where, status, out)
		}
	}
	exported := filepath.Join(dir, "merged")
	if out, status := hone(t, dir, "export", "--run", "latest", "--output_dir", exported, "--gguf", "f16", "--check_rows", "0"); status != 0 {
		t.Errorf("export: exit status %d:\n%s", status, out)
	}
	for _, name := range []string{"README.md", "model-F16.gguf"} {
		if raw, err := os.ReadFile(filepath.Join(exported, name)); err != nil || !bytes.Contains(raw, []byte("ZhipuAI/chatglm3-6b")) {
			t.Errorf("%s does not name the base (%v)", name, err)
		}
	}
	// With every file there, the same line needs no network.
	t.Setenv("HF_HUB_OFFLINE", "1")
	out, status = hone(t, dir, append(strings.Fields(line), "--max_steps", "1")...)
	if runs, _ := filepath.Glob(filepath.Join(dir, "output_model", "chatglm3-6b", "v1-*", "checkpoint-1")); status != 0 || len(runs) != 1 {
		t.Errorf("offline: exit status %d, %v:\n%s", status, runs, out)
	}
}

// tinyHub has the small random Llama with rows as org/tiny and org/rows.
func tinyHub(t *testing.T) (s *hubtest.Server, model, rows *hubtest.Repo) {
	t.Helper()
	files := filesOf(t, tinyLlama())
	s = hubWorld(t)
	return s, s.Add("models", "org/tiny", files), s.Add("datasets", "org/rows", map[string][]byte{"rows.jsonl": []byte(rowsOf(12, 256, 6, 20, 1))})
}

// TestResumeTakesTheSameCommit resumes a run of which model and data have moved on, with the cache and without it.
func TestResumeTakesTheSameCommit(t *testing.T) {
	s, model, rows := tinyHub(t)
	dir := t.TempDir()
	args := []string{"sft", "--model", "org/tiny", "--hub", "hf", "--dataset", "org/rows", "--output_dir", "out", "--gradient_accumulation_steps", "2", "--save_steps", "1"}
	if out, status := hone(t, dir, append(args, "--max_steps", "2")...); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	run := onlyRun(t, filepath.Join(dir, "out"))
	if filepath.Base(filepath.Dir(run)) != "tiny" {
		t.Errorf("the run lies in %s", run)
	}
	// Both names get new content. The old commits are still to be had by their hashes.
	for _, old := range []*hubtest.Repo{model, rows} {
		files := maps.Clone(old.Files)
		for name, data := range files {
			if strings.HasSuffix(name, ".jsonl") {
				files[name] = append(bytes.Clone(data), data...)
			}
			if name == "generation_config.json" || name == "README.md" {
				files[name] = append(bytes.Clone(data), ' ')
			}
		}
		files["NEW.md"] = []byte("new")
		s.Add(old.Kind, old.ID, files)
	}
	for i, cache := range []string{os.Getenv("HONE_HOME"), t.TempDir()} {
		t.Setenv("HONE_HOME", cache)
		out, status := hone(t, dir, append(args, "--max_steps", fmt.Sprint(3+i), "--resume_from_checkpoint", run)...)
		if status != 0 || !strings.Contains(out, "12 read") {
			t.Errorf("step %d: exit status %d:\n%s", 3+i, status, out)
		}
	}
	out, status := hone(t, dir, "sft", "--model", "org/tiny", "--hub", "hf", "--dataset", "org/rows", "--output_dir", "other", "--max_steps", "1")
	if status != 0 || !strings.Contains(out, "24 read") {
		t.Errorf("a new run: exit status %d:\n%s", status, out)
	}
}

func TestHubInCommands(t *testing.T) {
	s, model, _ := tinyHub(t)
	dir := t.TempDir()
	out, status := hone(t, dir, "plan", "--model", "org/tiny@"+model.Commit, "--dataset", "org/rows#5", "--use_hf", "true")
	if status != 0 || !strings.Contains(out, "downloading org/rows") || !strings.Contains(out, "5 kept") {
		t.Errorf("plan: exit status %d:\n%s", status, out)
	}
	out, status = hone(t, dir, "sft", "--model", "org/tiny", "--model_revision", model.Commit, "--dataset", "org/rows", "--use_hf", "true", "--max_steps", "1", "--log_format", "json", "--output_dir", "out")
	if status != 0 {
		t.Fatalf("sft: exit status %d:\n%s", status, out)
	}
	// The adapter of a run is found like everything else.
	last, _ := filepath.Glob(filepath.Join(dir, "out", "tiny", "v0-*", "checkpoint-1"))
	s.Add("models", "org/adapter", filesOf(t, last[0]))
	out, status = hone(t, dir, "sft", "--model", "org/tiny", "--dataset", "org/rows", "--hub", "ms", "--adapter", "org/adapter", "--max_steps", "1", "--log_format", "json", "--output_dir", "on")
	if status != 0 || !strings.Contains(out, `{"event":"downloading","data":{"name":"org/adapter","hub":"ms"`) {
		t.Errorf("an adapter by name: exit status %d:\n%s", status, out)
	}
	// Questions may lie on a hub, too.
	s.Add("datasets", "org/questions", map[string][]byte{"test.jsonl": []byte(`{"query":"x"}`)})
	out, status = hone(t, dir, "infer", "--model", "org/tiny", "--dataset", "org/questions", "--output", "a.jsonl")
	if !strings.Contains(out, "downloading org/questions") {
		t.Errorf("infer: exit status %d:\n%s", status, out)
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"--model", "org/none", "--dataset", "org/rows"}, []string{"model org/none: there is no such path", "not on ModelScope", "not on Hugging Face"}},
		{[]string{"--model", "org/tiny", "--dataset", "org/none"}, []string{"dataset org/none: there is no such path"}},
		{[]string{"--model_type", "chatglm4-6b", "--dataset", "org/rows"}, []string{"model chatglm4-6b", "did you mean chatglm"}},
		{[]string{"--model", "org/tiny", "--dataset", "rows.jsonl"}, []string{"rows.jsonl: there is no such file"}},
		{[]string{"--model", "./tiny", "--dataset", "org/rows"}, []string{"tiny", "no such"}},
	} {
		out, status := hone(t, dir, append([]string{"sft", "--output_dir", "bad"}, c.args...)...)
		for _, want := range c.want {
			if status != 1 || !strings.Contains(out, want) {
				t.Errorf("%v: exit status %d, want %q:\n%s", c.args, status, want, out)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "bad")); err == nil {
		t.Error("a run that could not begin left a directory")
	}
}

// TestStoppedDownload ends a download by Ctrl-C.
func TestStoppedDownload(t *testing.T) {
	tinyHub(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if status := Run(ctx, []string{"inspect", "x"}, &out, &out); status != 1 {
		t.Errorf("another error: exit status %d: %s", status, out.String())
	}
	out.Reset()
	if status := Run(ctx, []string{"plan", "--model", "org/tiny", "--dataset", "org/rows"}, &out, &out); status != 130 || !strings.Contains(out.String(), "running it again goes on behind it") {
		t.Errorf("exit status %d: %s", status, out.String())
	}
}

// TestTwoProcesses goes on with a run in which another process is at work.
func TestTwoProcesses(t *testing.T) {
	dir := t.TempDir()
	rows := writeFile(t, dir, "rows.jsonl", rowsOf(8, 256, 6, 20, 1))
	if out, status := hone(t, dir, "sft", "--model", tinyLlama(), "--dataset", rows, "--max_steps", "1", "--output_dir", "out"); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	run := checkpoint.Run{Dir: onlyRun(t, filepath.Join(dir, "out"))}
	release, err := run.Lock()
	if err != nil {
		t.Fatal(err)
	}
	resume := []string{"sft", "--resume_from_checkpoint", run.Dir, "--max_steps", "2"}
	if out, status := finish(t, process(t, dir, resume...)); status != 1 || !strings.Contains(out, fmt.Sprintf("process %d is at work in %s", os.Getpid(), run.Dir)) {
		t.Errorf("exit status %d:\n%s", status, out)
	}
	if out, status := hone(t, dir, "compare", "--run", "latest", "--prompt", "x"); !strings.Contains(out, "step 1") {
		t.Errorf("looking on is not kept out: exit status %d:\n%s", status, out)
	}
	release()
	if out, status := finish(t, process(t, dir, resume...)); status != 0 {
		t.Errorf("exit status %d:\n%s", status, out)
	}
	if names := checkpoints(t, run.Dir); !slices.Contains(names, "checkpoint-2") {
		t.Errorf("checkpoints %v", names)
	}
}

// TestFindRun refuses what is no run.
func TestFindRun(t *testing.T) {
	dir := t.TempDir()
	os.MkdirAll(filepath.Join(dir, "empty"), 0o777)
	os.MkdirAll(filepath.Join(dir, "out", "m", "v0-20260101-000000"), 0o777)
	writeFile(t, dir, "out/m/v0-20260101-000000/args.json", `{}`)
	for where, want := range map[string]string{"latest": "no run with a checkpoint below", "nowhere": "no such directory", "empty": "neither it nor", "out/m/v0-20260101-000000": "no checkpoint yet", "out": "neither it nor"} {
		if out, status := hone(t, dir, "compare", "--run", where, "--prompt", "x"); status != 1 || !strings.Contains(out, want) {
			t.Errorf("%s: exit status %d, want %q:\n%s", where, status, want, out)
		}
	}
	if out, status := hone(t, dir, "inspect", "nowhere"); status != 1 || !strings.Contains(out, "inspect nowhere: there is no such file or directory; name") {
		t.Errorf("%d: %s", status, out)
	}
	if out, status := hone(t, dir, "init", "--config", "nowhere.json", "m"); status != 1 || !strings.Contains(out, "--config nowhere.json cannot be read") {
		t.Errorf("%d: %s", status, out)
	}
}
