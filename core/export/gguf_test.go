package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/chat"
	"hone/core/checkpoint"
	"hone/core/gguf"
	"hone/core/golden"
	"hone/core/safetensors"
	"hone/core/tokenizer"
)

const sizes = `"hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,"vocab_size":1904,"max_position_embeddings":80,"initializer_range":0.2`

// configs are models of every architecture.
var configs = map[string]string{
	"llama":       `"model_type":"llama",` + sizes,
	"llama3":      `"model_type":"llama",` + sizes + `,"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":40}`,
	"llama, bias": `"model_type":"llama","attention_bias":true,"tie_word_embeddings":true,` + sizes,
	"qwen2":       `"model_type":"qwen2","tie_word_embeddings":true,` + sizes,
	"qwen3":       `"model_type":"qwen3","head_dim":32,` + sizes,
	"gemma3":      `"model_type":"gemma3_text","head_dim":16,"sliding_window":8,` + sizes,
	"gpt2":        `"model_type":"gpt2","n_embd":64,"n_layer":2,"n_head":4,"n_positions":80,"vocab_size":1904,"initializer_range":0.2`,
	"chatglm":     `"model_type":"chatglm","hidden_size":64,"num_layers":2,"num_attention_heads":4,"multi_query_attention":true,"multi_query_group_num":2,"ffn_hidden_size":96,"padded_vocab_size":1904,"seq_length":80,"add_qkv_bias":true,"initializer_range":0.2`,
}

// inLayer are the tensors of a layer in the file.
var inLayer = map[string]string{
	"llama":       "attn_norm.weight attn_q.weight attn_k.weight attn_v.weight attn_output.weight ffn_norm.weight ffn_gate.weight ffn_up.weight ffn_down.weight",
	"llama, bias": "attn_norm.weight attn_q.weight attn_q.bias attn_k.weight attn_k.bias attn_v.weight attn_v.bias attn_output.weight attn_output.bias ffn_norm.weight ffn_gate.weight ffn_up.weight ffn_down.weight",
	"qwen2":       "attn_norm.weight attn_q.weight attn_q.bias attn_k.weight attn_k.bias attn_v.weight attn_v.bias attn_output.weight ffn_norm.weight ffn_gate.weight ffn_up.weight ffn_down.weight",
	"qwen3":       "attn_norm.weight attn_q.weight attn_k.weight attn_v.weight attn_output.weight attn_q_norm.weight attn_k_norm.weight ffn_norm.weight ffn_gate.weight ffn_up.weight ffn_down.weight",
	"gemma3":      "attn_norm.weight attn_q.weight attn_k.weight attn_v.weight attn_output.weight attn_q_norm.weight attn_k_norm.weight post_attention_norm.weight ffn_norm.weight ffn_gate.weight ffn_up.weight ffn_down.weight post_ffw_norm.weight",
	"gpt2":        "attn_norm.weight attn_norm.bias attn_qkv.weight attn_qkv.bias attn_output.weight attn_output.bias ffn_norm.weight ffn_norm.bias ffn_up.weight ffn_up.bias ffn_down.weight ffn_down.bias",
	"chatglm":     "attn_norm.weight attn_qkv.weight attn_qkv.bias attn_output.weight ffn_norm.weight ffn_up.weight ffn_down.weight",
}

var outside = map[string]string{
	"llama":       "token_embd.weight output_norm.weight output.weight",
	"llama3":      "token_embd.weight output_norm.weight output.weight rope_freqs.weight",
	"llama, bias": "token_embd.weight output_norm.weight",
	"qwen2":       "token_embd.weight output_norm.weight",
	"qwen3":       "token_embd.weight output_norm.weight output.weight",
	"gemma3":      "token_embd.weight output_norm.weight",
	"gpt2":        "token_embd.weight position_embd.weight output_norm.weight output_norm.bias output.weight",
	"chatglm":     "token_embd.weight output_norm.weight output.weight",
}

// model makes a random model with the bundled tokenizer.
func model(t *testing.T, config string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := checkpoint.InitModel(dir, []byte("{"+config+"}"), 5); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		raw, err := os.ReadFile(filepath.Join(golden.Root(t), "core/bundle/default/model", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func write(t *testing.T, dir string, kind gguf.Type) (*gguf.File, Summary) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	s, err := GGUF(t.Context(), dir, path, "tiny", kind)
	if err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, s
}

func read(t *testing.T, f *gguf.File, name string) []float32 {
	t.Helper()
	info, ok := f.Lookup(name)
	if !ok {
		t.Fatalf("there is no tensor %s", name)
	}
	v := make([]float32, info.Shape.Elements())
	if err := f.ReadF32(name, v); err != nil {
		t.Fatal(err)
	}
	return v
}

func stored(t *testing.T, dir, name string) []float32 {
	t.Helper()
	m, err := safetensors.OpenModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	info, ok := m.Lookup(name)
	if !ok {
		t.Fatalf("the model has no weight %s", name)
	}
	v := make([]float32, info.Shape.Elements())
	if err := m.ReadF32(name, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Every architecture's file has the tensors that llama.cpp looks for, and no others.
func TestTensorNames(t *testing.T) {
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			f, _ := write(t, model(t, config), gguf.F32)
			want := strings.Fields(outside[name])
			layer := inLayer[name]
			if name == "llama3" {
				layer = inLayer["llama"]
			}
			for _, n := range strings.Fields(layer) {
				want = append(want, "blk.0."+n, "blk.1."+n)
			}
			var got []string
			for _, info := range f.Tensors {
				got = append(got, info.Name)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("tensors are\n%v, want\n%v", got, want)
			}
			arch, _ := f.Value("general.architecture").(string)
			if blocks := f.Value(arch + ".block_count"); blocks != uint32(2) {
				t.Errorf("%s.block_count is %v", arch, blocks)
			}
			if heads := f.Value(arch + ".attention.head_count"); heads != uint32(4) {
				t.Errorf("%s.attention.head_count is %v", arch, heads)
			}
			want32 := uint32(96)
			if arch == "gpt2" {
				want32 = 4 * 64
			}
			if ffn := f.Value(arch + ".feed_forward_length"); ffn != want32 {
				t.Errorf("%s.feed_forward_length is %v", arch, ffn)
			}
		})
	}
}

// Weights that need no change are those of the model; GPT-2's are turned; Gemma's norms are one more.
func TestValues(t *testing.T) {
	dir := model(t, configs["gpt2"])
	f, _ := write(t, dir, gguf.F32)
	got, want := read(t, f, "blk.1.ffn_up.weight"), stored(t, dir, "transformer.h.1.mlp.c_fc.weight") // [64, 256] in the model
	for i := range 64 {
		for o := range 256 {
			if got[o*64+i] != want[i*256+o] {
				t.Fatalf("ffn_up[%d][%d] is %v, want %v", o, i, got[o*64+i], want[i*256+o])
			}
		}
	}
	if got, want := read(t, f, "output.weight"), stored(t, dir, "transformer.wte.weight"); !slices.Equal(got, want) {
		t.Error("the tied head is not the embedding")
	}
	dir = model(t, configs["gemma3"])
	f, _ = write(t, dir, gguf.F32)
	if got, want := read(t, f, "blk.0.ffn_norm.weight"), stored(t, dir, "model.layers.0.pre_feedforward_layernorm.weight"); got[3] != want[3]+1 {
		t.Errorf("ffn_norm is %v where the model has %v; it should be one more", got[3], want[3])
	}
	dir = model(t, configs["qwen2"])
	f, _ = write(t, dir, gguf.F32)
	for to, from := range map[string]string{"attn_q.weight": "self_attn.q_proj.weight", "attn_k.bias": "self_attn.k_proj.bias", "ffn_gate.weight": "mlp.gate_proj.weight"} {
		if !slices.Equal(read(t, f, "blk.1."+to), stored(t, dir, "model.layers.1."+from)) {
			t.Errorf("%s is not %s", to, from)
		}
	}
}

// llama.cpp turns neighbours of a Llama's heads where transformers turns halves: scores of queries and keys must not notice.
func TestLlamaHeads(t *testing.T) {
	const hidden, dim = 64, 16
	dir := model(t, configs["llama"])
	f, _ := write(t, dir, gguf.F32)
	x := make([]float64, hidden)
	for i := range x {
		x[i] = math.Sin(float64(3*i + 1))
	}
	head := func(w []float32, h int) []float64 { // the h-th head of w·x
		y := make([]float64, dim)
		for o := range y {
			for i := range x {
				y[o] += float64(w[(h*dim+o)*hidden+i]) * x[i]
			}
		}
		return y
	}
	turn := func(v []float64, position float64, pair func(i int) (int, int)) []float64 {
		out := make([]float64, dim)
		for i := range dim / 2 {
			s, c := math.Sincos(position * math.Pow(10000, -2*float64(i)/dim))
			a, b := pair(i)
			out[a], out[b] = v[a]*c-v[b]*s, v[b]*c+v[a]*s
		}
		return out
	}
	halves := func(i int) (int, int) { return i, i + dim/2 }
	neighbours := func(i int) (int, int) { return 2 * i, 2*i + 1 }
	for h := range 4 {
		score := func(q, k []float32, pair func(int) (int, int)) (sum float64) {
			a, b := turn(head(q, h), 7, pair), turn(head(k, h/2), 3, pair)
			for i := range a {
				sum += a[i] * b[i]
			}
			return sum
		}
		want := score(stored(t, dir, "model.layers.1.self_attn.q_proj.weight"), stored(t, dir, "model.layers.1.self_attn.k_proj.weight"), halves)
		got := score(read(t, f, "blk.1.attn_q.weight"), read(t, f, "blk.1.attn_k.weight"), neighbours)
		if math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
			t.Errorf("head %d: the score is %v, want %v", h, got, want)
		}
	}
}

// The divisors of rope_freqs give the frequencies that the model itself computes with.
func TestRopeFreqs(t *testing.T) {
	f, _ := write(t, model(t, configs["llama3"]), gguf.F32)
	divisors := read(t, f, "rope_freqs.weight")
	for i, d := range divisors {
		inv := math.Pow(10000, -2*float64(i)/16)
		wavelength, want := 2*math.Pi/inv, inv
		if low, high := 40.0/1, 40.0/4; wavelength > low {
			want = inv / 8
		} else if wavelength > high {
			smooth := (40/wavelength - 1) / (4 - 1)
			want = (1-smooth)*inv/8 + smooth*inv
		}
		if got := inv / float64(d); math.Abs(got/want-1) > 1e-6 {
			t.Errorf("frequency %d is %v, want %v", i, got, want)
		}
	}
	if divisors[0] != 1 || divisors[len(divisors)-1] != 8 {
		t.Errorf("divisors go from %v to %v, want 1 to 8", divisors[0], divisors[len(divisors)-1])
	}
}

func TestTypes(t *testing.T) {
	dir := model(t, configs["qwen3"])
	for kind, limit := range map[gguf.Type]float64{gguf.F32: 0, gguf.F16: 5e-4, gguf.BF16: 4e-3, gguf.Q8_0: 5e-3, gguf.Q4_0: 0.13} {
		f, s := write(t, dir, kind)
		if s.LargestError > limit || kind != gguf.F32 && s.LargestError == 0 {
			t.Errorf("%v: the largest error is %v in %s, at most %v is allowed", kind, s.LargestError, s.ErrorTensor, limit)
		}
		embedding := kind
		if kind == gguf.Q4_0 {
			embedding = gguf.Q8_0
		}
		for name, want := range map[string]gguf.Type{"token_embd.weight": embedding, "blk.0.attn_q.weight": kind, "blk.0.attn_q_norm.weight": gguf.F32} {
			if info, _ := f.Lookup(name); info.Type != want {
				t.Errorf("%v: %s is %v, want %v", kind, name, info.Type, want)
			}
		}
	}
	odd := model(t, `"model_type":"llama","hidden_size":40,"num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":64,"vocab_size":1904`)
	f, _ := write(t, odd, gguf.Q8_0)
	for name, want := range map[string]gguf.Type{"blk.0.ffn_up.weight": gguf.F16, "blk.0.ffn_down.weight": gguf.Q8_0} {
		if info, _ := f.Lookup(name); info.Type != want {
			t.Errorf("rows of %v: %s is %v, want %v", info.Shape, name, info.Type, want)
		}
	}
}

// A reader that merges by the scores of the file, as SentencePiece does, finds the ids that the tokenizer finds.
func TestScoresAreBPE(t *testing.T) {
	dir := model(t, configs["llama"])
	f, _ := write(t, dir, gguf.F16)
	tokens, _ := f.Value("tokenizer.ggml.tokens").([]string)
	scores, _ := f.Value("tokenizer.ggml.scores").([]float32)
	kinds, _ := f.Value("tokenizer.ggml.token_type").([]int32)
	if f.Value("tokenizer.ggml.model") != "llama" || len(tokens) != 1904 || len(scores) != 1904 || len(kinds) != 1904 {
		t.Fatalf("model %v with %d tokens, %d scores, %d kinds", f.Value("tokenizer.ggml.model"), len(tokens), len(scores), len(kinds))
	}
	if kinds[0] != unknownToken || kinds[1] != controlToken || tokens[1] != "<s>" || f.Value("tokenizer.ggml.bos_token_id") != uint32(1) {
		t.Errorf("the first tokens are %q of the kinds %v", tokens[:3], kinds[:3])
	}
	ids := map[string]int{}
	for id, s := range tokens {
		if kinds[id] == normalToken {
			ids[s] = id
		}
	}
	tok, err := tokenizer.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"Tom has a red ball.", "the the then there", "Zürich? 我 爱", "a", "  two  spaces "} {
		var parts []string
		for _, r := range "▁" + strings.ReplaceAll(text, " ", "▁") {
			parts = append(parts, string(r))
		}
		for {
			best, at := float32(math.Inf(-1)), -1
			for i := range len(parts) - 1 {
				if id, ok := ids[parts[i]+parts[i+1]]; ok && scores[id] > best {
					best, at = scores[id], i
				}
			}
			if at < 0 {
				break
			}
			parts = slices.Replace(parts, at, at+2, parts[at]+parts[at+1])
		}
		var got []int32
		for _, p := range parts {
			if id, ok := ids[p]; ok {
				got = append(got, int32(id))
				continue
			}
			for _, b := range []byte(p) {
				got = append(got, int32(slices.Index(tokens, "<0x"+strings.ToUpper(string("0123456789abcdef"[b>>4])+string("0123456789abcdef"[b&15]))+">")))
			}
		}
		if want := tok.EncodeText(text); !slices.Equal(got, want) {
			t.Errorf("%q by scores is %v, by the tokenizer %v", text, got, want)
		}
	}
}

// llama.cpp counts the tokens and wants as many rows of the embedding: a padded vocabulary has unused tokens at its end, and
// an added token without a row is left out.
func TestTokensAreRows(t *testing.T) {
	dir := model(t, strings.Replace(configs["qwen2"], `"vocab_size":1904`, `"vocab_size":1968`, 1))
	raw, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	raw = bytes.Replace(raw, []byte(`"added_tokens": [`), []byte(`"added_tokens": [{"id":2164,"content":"<image>","special":true,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false},`), 1)
	if !bytes.Contains(raw, []byte("<image>")) {
		t.Fatal("the tokenizer is written otherwise than this test thinks")
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	f, _ := write(t, dir, gguf.F16)
	tokens, _ := f.Value("tokenizer.ggml.tokens").([]string)
	kinds, _ := f.Value("tokenizer.ggml.token_type").([]int32)
	scores, _ := f.Value("tokenizer.ggml.scores").([]float32)
	if len(tokens) != 1968 || len(kinds) != 1968 || len(scores) != 1968 || kinds[1964] != unusedToken || slices.Contains(tokens, "<image>") {
		t.Errorf("%d tokens, %d kinds, %d scores for 1968 rows; token 1964 is %q", len(tokens), len(kinds), len(scores), tokens[min(1964, len(tokens)-1)])
	}
	small := model(t, strings.Replace(configs["qwen2"], `"vocab_size":1904`, `"vocab_size":1864`, 1))
	if _, err := GGUF(t.Context(), small, filepath.Join(t.TempDir(), "x.gguf"), "tiny", gguf.F16); err == nil || !strings.Contains(err.Error(), "embedding has 1864 rows") {
		t.Errorf("a tokenizer larger than the embedding: %v", err)
	}
}

// The file has the model's layout of conversations, or ours.
func TestTemplateInFile(t *testing.T) {
	dir := model(t, configs["llama"])
	f, _ := write(t, dir, gguf.F16)
	if s, _ := f.Value("tokenizer.chat_template").(string); s != chat.Source(chat.Plain) || s == "" {
		t.Errorf("the template is %q", s)
	}
	const own = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
	if err := os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte(own), 0o644); err != nil {
		t.Fatal(err)
	}
	f, _ = write(t, dir, gguf.F16)
	if s, _ := f.Value("tokenizer.chat_template").(string); s != own {
		t.Errorf("the template is %q", s)
	}
}

// The ways of cutting words are known by their patterns.
func TestPreTokenizers(t *testing.T) {
	for name, pre := range map[string]string{
		"gpt-2":     `{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}`,
		"smollm":    `{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel"}]}`,
		"qwen2":     `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(?i:'s)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s+"}},{"type":"ByteLevel"}]}`,
		"llama-bpe": `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(?i:'s)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s+"}},{"type":"ByteLevel"}]}`,
	} {
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(pre)); err != nil {
			t.Fatal(err)
		}
		if got, err := preTokenizer(compact.String()); err != nil || got != name {
			t.Errorf("%s is taken for %q (%v)", name, got, err)
		}
	}
	if got, err := preTokenizer(`{"type":"Whitespace"}`); err == nil {
		t.Errorf("a pre-tokenizer that llama.cpp does not have is called %s", got)
	}
}

func TestGGUFRefuses(t *testing.T) {
	dir := model(t, configs["llama"])
	if err := os.Remove(filepath.Join(dir, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.gguf")
	if _, err := GGUF(t.Context(), dir, path, "tiny", gguf.F16); err == nil || !strings.Contains(err.Error(), "tokenizer") {
		t.Errorf("without a tokenizer the error is %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file is left behind")
	}
}

// The list of tokens is as long as the embedding: longer than the tokenizer's, as Qwen's is, or without its last added
// tokens, as Gemma 3's.
func TestTokensAreAsManyAsRows(t *testing.T) {
	for _, c := range []struct {
		rows int
		last string
		kind int32
	}{{1964, "[PAD1963]", unusedToken}, {1904, "", normalToken}} {
		dir := model(t, strings.Replace(configs["llama"], `"vocab_size":1904`, fmt.Sprintf(`"vocab_size":%d`, c.rows), 1))
		path := filepath.Join(dir, "tokenizer.json")
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		added := strings.Replace(string(raw), `"added_tokens": [`, `"added_tokens": [{"id":1904,"content":"<image>","special":true,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false},`, 1)
		if added == string(raw) {
			t.Fatal("tokenizer.json is not written as this test expects")
		}
		if err := os.WriteFile(path, []byte(added), 0o644); err != nil {
			t.Fatal(err)
		}
		f, _ := write(t, dir, gguf.F16)
		tokens, _ := f.Value("tokenizer.ggml.tokens").([]string)
		scores, _ := f.Value("tokenizer.ggml.scores").([]float32)
		kinds, _ := f.Value("tokenizer.ggml.token_type").([]int32)
		if len(tokens) != c.rows || len(scores) != c.rows || len(kinds) != c.rows {
			t.Fatalf("an embedding of %d rows, but %d tokens, %d scores, %d kinds", c.rows, len(tokens), len(scores), len(kinds))
		}
		if kinds[c.rows-1] != c.kind || c.last != "" && tokens[c.rows-1] != c.last {
			t.Errorf("the last of %d tokens is %q of the kind %d", c.rows, tokens[c.rows-1], kinds[c.rows-1])
		}
		if at := slices.Index(tokens, "<image>"); (at == 1904) != (c.rows > 1904) {
			t.Errorf("with %d rows the added token stands at %d", c.rows, at)
		}
	}
}
