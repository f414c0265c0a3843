package hub

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/hub/hubtest"
)

// refsOf lists where a name is looked for, as hub:id pairs.
func refsOf(t *testing.T, k kind, name string, o Options, env map[string]string) ([]string, error) {
	t.Helper()
	o.getenv = func(name string) string { return env[name] }
	if env["HONE_HOME"] == "" {
		env = map[string]string{"HONE_HOME": "/nowhere", "HF_ENDPOINT": env["HF_ENDPOINT"], "MODELSCOPE_ENDPOINT": env["MODELSCOPE_ENDPOINT"], "USE_HF": env["USE_HF"], "USE_MODELSCOPE_HUB": env["USE_MODELSCOPE_HUB"]}
	}
	e, err := newEnvironment(o)
	if err != nil {
		return nil, err
	}
	refs, err := e.resolve(k, name)
	var out []string
	for _, r := range refs {
		s := r.hub + ":" + r.id
		if r.revision != "" {
			s += "@" + r.revision
		}
		if p := r.part + r.prefer; p != "" {
			s += " " + p
		}
		out = append(out, s)
	}
	return out, err
}

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		kind kind
		name string
		o    Options
		env  map[string]string
		want []string // the last may be the beginning of an error
	}{
		{models, "Qwen/Qwen2.5-0.5B", Options{}, nil, []string{"hf:Qwen/Qwen2.5-0.5B", "ms:Qwen/Qwen2.5-0.5B"}},
		{models, "Qwen/Qwen2.5-0.5B", Options{Hub: "hf"}, nil, []string{"hf:Qwen/Qwen2.5-0.5B"}},
		{models, "qwen2_5-0_5b-instruct", Options{Hub: "hf"}, nil, []string{"hf:Qwen/Qwen2.5-0.5B-Instruct"}},
		{models, "qwen2.5-0.5b-instruct", Options{Hub: "ms"}, nil, []string{"ms:Qwen/Qwen2.5-0.5B-Instruct"}},
		{models, "qwen3-0.6b", Options{Hub: "ms"}, nil, []string{"ms:Qwen/Qwen3-0.6B"}},
		{models, "smollm2-135m", Options{Hub: "hf"}, nil, []string{"hf:HuggingFaceTB/SmolLM2-135M"}},
		{models, "chatglm3-6b", Options{}, nil, []string{"hf:THUDM/chatglm3-6b", "ms:ZhipuAI/chatglm3-6b"}},
		{models, "chatglm3-6b", Options{}, map[string]string{"HF_ENDPOINT": "http://x"}, []string{"hf:THUDM/chatglm3-6b"}},
		{models, "chatglm3-6b", Options{}, map[string]string{"USE_HF": "1"}, []string{"hf:THUDM/chatglm3-6b"}},
		{models, "chatglm3-6b", Options{}, map[string]string{"USE_MODELSCOPE_HUB": "1"}, []string{"ms:ZhipuAI/chatglm3-6b"}},
		{models, "chatglm3-6b", Options{Revision: "v1.0"}, map[string]string{"MODELSCOPE_ENDPOINT": "http://x"}, []string{"ms:ZhipuAI/chatglm3-6b@v1.0"}},
		{models, "THUDM/chatglm3-6b", Options{Hub: "ms"}, nil, []string{"ms:THUDM/chatglm3-6b", "ms:ZhipuAI/chatglm3-6b"}},
		{models, "HF::org/name@refs/pr/1", Options{Hub: "ms", Revision: "main"}, nil, []string{"hf:org/name@refs/pr/1"}},
		{models, "gpt2", Options{}, nil, []string{"hf:openai-community/gpt2", "ms:AI-ModelScope/gpt2"}},
		{models, "distilgpt2", Options{Hub: "hf"}, nil, []string{"hf:distilgpt2"}},
		{datasets, "shibing624/medical-QA-zh", Options{Hub: "hf"}, nil, []string{"hf:shibing624/medical-QA-zh finetune/train_zh_*", "hf:shibing624/medical finetune/train_zh_*"}},
		{datasets, "alpaca-zh", Options{}, nil, []string{"hf:llm-wizard/alpaca-gpt4-data-zh", "ms:AI-ModelScope/alpaca-gpt4-data-zh"}},
		{datasets, "org/rows:data/a.json", Options{Hub: "ms"}, nil, []string{"ms:org/rows data/a.json"}},
		{datasets, "MS::org/rows@v1:data", Options{}, nil, []string{"ms:org/rows@v1 data"}},
		{models, "chatglm4-6b", Options{}, nil, []string{"did you mean chatglm"}},
		{models, "./nowhere", Options{}, nil, []string{"there is no such directory"}},
		{models, "a/b/c", Options{}, nil, []string{"there is no such directory"}},
		{models, "/abs/nowhere", Options{}, nil, []string{"there is no such directory"}},
		{models, "org/..", Options{}, nil, []string{"there is no such directory"}},
		{datasets, "rows.jsonl", Options{}, nil, []string{"there is no such file"}},
		{datasets, "data/rows.json", Options{}, nil, []string{"there is no such file"}},
		{datasets, "org/name:../x", Options{}, nil, []string{"there is no such file"}},
		{models, "smollm-135m", Options{Hub: "ms"}, nil, []string{"ModelScope does not have it; --hub hf does"}},
		{models, "org/name", Options{Hub: "github"}, nil, []string{"it is hf"}},
		{models, "org/name", Options{Revision: "../x"}, nil, []string{"a branch, a tag or a commit"}},
	} {
		got, err := refsOf(t, c.kind, c.name, c.o, c.env)
		if err != nil {
			if !strings.Contains(err.Error(), c.want[len(c.want)-1]) {
				t.Errorf("%v %s: %v, want %v", c.kind, c.name, err, c.want)
			}
			continue
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v %s: %v, want %v", c.kind, c.name, got, c.want)
		}
	}
}

// TestTables wants every id to be one, and no name to be there twice.
func TestTables(t *testing.T) {
	for _, k := range []kind{models, datasets} {
		seen := map[string]bool{}
		for _, e := range tableOf(k) {
			if s := spelling(e.name); seen[s] {
				t.Errorf("%s stands there twice", e.name)
			} else {
				seen[s] = true
			}
			if e.ms == "" && e.hf == "" {
				t.Errorf("%s is nowhere", e.name)
			}
			for _, id := range []string{e.ms, e.hf} {
				if r, ok := parse(k, id); id != "" && (!ok || r.id != id || strings.Count(id, "/") != 1) {
					t.Errorf("%s: %q is no id", e.name, id)
				}
			}
		}
	}
}

// medical is laid out as shibing624/medical: JSON lines in files called .json.
func medical() map[string][]byte {
	files := map[string][]byte{"README.md": []byte("---\nlicense: apache-2.0\n---\n"), "medical.py": []byte("x")}
	for _, name := range []string{"pretrain/train_encyclopedia.json", "pretrain/test_encyclopedia.json", "reward/train.json", "finetune/train_en_1.json",
		"finetune/train_zh_0.json", "finetune/valid_zh_0.json", "finetune/test_zh_0.json", "finetune/valid_en_1.json"} {
		files[name] = fmt.Appendf(nil, `{"instruction": %q, "input": "", "output": "yes"}`+"\n", name)
	}
	return files
}

func TestDatasets(t *testing.T) {
	plain := map[string][]byte{"alpaca.json": []byte("[]"), "dataset_infos.json": []byte("{}"), "x.py": nil}
	splits := map[string][]byte{"data/train-1.jsonl": []byte("{}"), "data/train-0.jsonl": []byte("{}"), "data/test.jsonl": []byte("{}"), "data/validation.jsonl": []byte("{}")}
	noTrain := map[string][]byte{"qa.jsonl": []byte("{}"), "test.jsonl": []byte("{}")}
	parquet := map[string][]byte{"data/train-00000.parquet": []byte("PAR1"), "README.md": nil}
	for _, c := range []struct {
		files map[string][]byte
		name  string
		want  string // files, or a part of the error after !
	}{
		{plain, "org/rows", "alpaca.json"},
		{splits, "org/rows", "data/train-0.jsonl data/train-1.jsonl"},
		{splits, "org/rows:data/test.jsonl", "data/test.jsonl"},
		{noTrain, "org/rows", "qa.jsonl"},
		{medical(), "org/rows", "!org/name:FILE"},
		{medical(), "org/rows:finetune/train_en_1.json", "finetune/train_en_1.json"},
		{medical(), "org/rows:finetune", "finetune/train_en_1.json finetune/train_zh_0.json"},
		{medical(), "org/rows:finetune/*_zh_*", "finetune/train_zh_0.json"},
		{medical(), "org/rows:nowhere", `!no rows in "nowhere"`},
		{medical(), "shibing624/medical-QA-zh", "finetune/train_zh_0.json"},
		{medical(), "shibing624/medical", "finetune/train_zh_0.json"},
		{parquet, "org/rows", "!data/train-00000.parquet; JSON"},
		{parquet, "org/rows:data", "!is no JSON"},
		{map[string][]byte{"README.md": nil}, "org/rows", "!no file with rows"},
	} {
		for _, hub := range []string{HuggingFace, ModelScope} {
			w := newWorld(t)
			id, _, _ := strings.Cut(c.name, ":")
			repo := w.Add("datasets", id, c.files)
			p, err := Dataset(t.Context(), c.name, w.options(hub))
			if words, bad := strings.CutPrefix(c.want, "!"); bad {
				if err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "org/rows") {
					t.Errorf("%s %s: %v, want %q", hub, c.name, err, words)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s %s: %v", hub, c.name, err)
				continue
			}
			var got []string
			for _, f := range p.Files {
				rel, err := filepath.Rel(filepath.Join(w.env["HONE_HOME"], "hub", hub, "datasets", strings.ReplaceAll(id, "/", "--"), repo.Commit), f)
				if raw, _ := os.ReadFile(f); err != nil || string(raw) != string(c.files[filepath.ToSlash(rel)]) {
					t.Errorf("%s %s: %s: %v", hub, c.name, f, err)
				}
				got = append(got, filepath.ToSlash(rel))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s %s: %v, want %s", hub, c.name, got, c.want)
			}
			w.Server.Status = func(hubtest.Request) (int, string) { return 500, "" }
			if again, err := Dataset(t.Context(), p.Pinned(), w.options(hub)); err != nil || !slices.Equal(again.Files, p.Files) {
				t.Errorf("%s %s: %s: %v, %v", hub, c.name, p.Pinned(), again.Files, err)
			}
		}
	}
}

// What one hub has in a format that is not read, another may have in one that is.
func TestFormatOfAnotherHub(t *testing.T) {
	w := newWorld(t)
	w.Add("datasets", "AI-ModelScope/alpaca-gpt4-data-zh", map[string][]byte{"train.csv": []byte("a,b\n")})
	_, err := Dataset(t.Context(), "alpaca-zh", w.options("ms"))
	if err == nil || !strings.Contains(err.Error(), "train.csv; JSON") {
		t.Errorf("%v", err)
	}
	w.Add("datasets", "llm-wizard/alpaca-gpt4-data-zh", map[string][]byte{"train.json": []byte("[]")})
	if p, err := Dataset(t.Context(), "alpaca-zh", w.options("")); err != nil || p.Hub != HuggingFace || len(p.Files) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

// The course's name is not that of the repository: it is found under its own id, too.
func TestMedicalUnderItsOwnID(t *testing.T) {
	w := newWorld(t)
	w.Add("datasets", "shibing624/medical", medical())
	for name, file := range map[string]string{"shibing624/medical-QA-zh": "train_zh_0.json", "medical-zh": "train_zh_0.json", "medical-en": "train_en_1.json"} {
		p, err := Dataset(t.Context(), name, w.options(""))
		if err != nil || len(p.Files) != 1 || filepath.Base(p.Files[0]) != file || p.Hub != HuggingFace || p.ID != "shibing624/medical" || p.Name != name {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		// What it was pinned to means the same files, although the name is another.
		again, err := Dataset(t.Context(), p.Pinned(), w.options(""))
		if err != nil || !slices.Equal(again.Files, p.Files) {
			t.Errorf("%s: %v, %v", p.Pinned(), again.Files, err)
		}
	}
}

func TestNotAModel(t *testing.T) {
	for _, c := range []struct {
		files []string
		words string
	}{
		{[]string{"config.json", "pytorch_model.bin"}, "pickle"},
		{[]string{"config.json", "pytorch_model-00001-of-00002.bin"}, "save_pretrained"},
		{[]string{"config.json", "model.gguf"}, "GGUF"},
		{[]string{"model.Q4_0.gguf"}, "GGUF"},
		{[]string{"adapter_config.json", "adapter_model.safetensors"}, "--adapter"},
		{[]string{"README.md"}, "config.json"},
	} {
		w := newWorld(t)
		files := map[string][]byte{}
		for _, n := range c.files {
			files[n] = bytesOf(100, 1)
		}
		w.Add("models", "org/thing", files)
		if _, err := Model(t.Context(), "org/thing", w.options(HuggingFace)); err == nil || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), "org/thing") {
			t.Errorf("%v: %v", c.files, err)
		}
		if c.words == "--adapter" {
			p, err := Adapter(t.Context(), "org/thing", w.options(HuggingFace))
			if err != nil {
				t.Fatal(err)
			}
			wantFiles(t, p.Dir, files, c.files...)
		}
	}
	w := newWorld(t)
	files := tinyModel()
	files["model.safetensors.index.json"] = []byte(`{"weight_map":{"a":"../../x.safetensors"}}`)
	w.Add("models", "org/thing", files)
	if _, err := Model(t.Context(), "org/thing", w.options(HuggingFace)); err == nil || !strings.Contains(err.Error(), "no safetensors file of the repository") {
		t.Errorf("an index that leads elsewhere: %v", err)
	}
}

func TestSentences(t *testing.T) {
	for _, c := range []struct {
		name, hub string
		set       func(*world)
		words     []string
	}{
		{"org/none", "hf", nil, []string{"org/none is not on Hugging Face", "--hub ms", "HF_TOKEN", "models/org/none", "huggingface-cli download org/none --local-dir"}},
		{"org/none", "ms", nil, []string{"org/none is not on ModelScope", "--hub hf", "modelscope download --model org/none --local_dir"}},
		{"org/none", "", nil, []string{"is not on ModelScope", "is not on Hugging Face", "no such path"}},
		{"org/tiny@v9", "hf", nil, []string{"no revision v9"}},
		{"org/gated", "", func(w *world) { w.Add("models", "org/gated", tinyModel()).Gated = true }, []string{"refuses org/gated", "HF_TOKEN", "or look on ModelScope with --hub ms"}},
		{"chatglm3-6b", "", func(w *world) { w.env["HF_HUB_OFFLINE"] = "1" }, []string{"stay offline", "models/THUDM/chatglm3-6b", "huggingface-cli download THUDM/chatglm3-6b", "--model"}},
		{"chatglm3-6b", "hf", func(w *world) { w.env["HF_ENDPOINT"] = "http://127.0.0.1:1" }, []string{"cannot be reached: dial tcp 127.0.0.1:1: connect: connection refused. What helps", "THUDM/chatglm3-6b"}},
		{"org/tiny", "hf", func(w *world) { w.env["HF_ENDPOINT"] = "http://nowhere.invalid" }, []string{"Hugging Face (nowhere.invalid) cannot be reached: there is no host nowhere.invalid, or no network. What helps"}},
		{"org/tiny", "hf", func(w *world) {
			w.Status = func(hubtest.Request) (int, string) { return 429, "" }
		}, []string{"status 429 Too Many Requests: the test says so; try again in a few minutes"}},
		{"org/tiny", "hf", func(w *world) {
			w.Status = func(hubtest.Request) (int, string) { return 502, "" }
		}, []string{"status 502 Bad Gateway: the test says so; the hub itself has trouble: try again later"}},
		{"org/tiny", "hf", func(w *world) { w.env["HF_ENDPOINT"] = "huggingface" }, []string{"HF_ENDPOINT", "https://huggingface.co"}},
	} {
		w := newWorld(t)
		w.Add("models", "org/tiny", tinyModel())
		if c.set != nil {
			c.set(w)
		}
		_, err := Model(t.Context(), c.name, w.options(c.hub))
		if err == nil {
			t.Errorf("%s is found", c.name)
			continue
		}
		for _, words := range append(c.words, strings.Split(c.name, "@")[0]) {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("%s on %q: %v\nlacks %q", c.name, c.hub, err, words)
			}
		}
	}
}

// In a page nobody is told of what a page has not.
func TestSentencesInPage(t *testing.T) {
	InPage = true
	defer func() { InPage = false }()
	w := newWorld(t)
	w.Add("models", "org/gated", tinyModel()).Gated = true
	w.Add("models", "org/adapter", map[string][]byte{"adapter_config.json": []byte("{}")})
	w.Add("models", "org/pickle", map[string][]byte{"config.json": []byte("{}"), "pytorch_model.bin": []byte("x")})
	w.Add("datasets", "org/sheet", map[string][]byte{"rows.xlsx": []byte("PK")})
	for _, name := range []string{"org/none", "org/gated", "org/adapter", "org/pickle", "org/sheet"} {
		for _, hub := range []string{HuggingFace, ModelScope, ""} {
			find := Model
			if name == "org/sheet" {
				find = Dataset
			}
			_, err := find(t.Context(), name, w.options(hub))
			if err == nil {
				t.Fatalf("%s is found", name)
			}
			for _, not := range []string{"--", "TOKEN", "-cli", "HONE_HOME", w.env["HONE_HOME"]} {
				if strings.Contains(err.Error(), not) {
					t.Errorf("%s on %q: %v\nspeaks of %s", name, hub, err, not)
				}
			}
		}
	}
}

// TestByHand puts files where the sentence says, and asks again.
func TestByHand(t *testing.T) {
	w := newWorld(t)
	w.env["HF_HUB_OFFLINE"] = "1"
	dir := filepath.Join(w.env["HONE_HOME"], "models", "ZhipuAI", "chatglm3-6b")
	rows := filepath.Join(w.env["HONE_HOME"], "datasets", "shibing624", "medical-QA-zh")
	for path, text := range map[string]string{filepath.Join(dir, "config.json"): "{}", filepath.Join(rows, "train_zh_0.json"): "{}", filepath.Join(rows, "test_zh_0.json"): "{}"} {
		os.MkdirAll(filepath.Dir(path), 0o777)
		os.WriteFile(path, []byte(text), 0o666)
	}
	if p, err := Model(t.Context(), "chatglm3-6b", w.options("")); err != nil || p.Dir != dir {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := Dataset(t.Context(), "shibing624/medical-QA-zh", w.options("")); err != nil || !slices.Equal(p.Files, []string{filepath.Join(rows, "train_zh_0.json")}) {
		t.Errorf("%+v, %v", p, err)
	}
	if n := len(w.Requests("")); n != 0 {
		t.Errorf("%d requests", n)
	}
}
