package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

func TestLoadDirSaysWhatIsMissing(t *testing.T) {
	model := small("", "")
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"empty":          {nil, "looked for tokenizer.json, tokenizer.model, *.tiktoken, vocab.json with merges.txt"},
		"vocab alone":    {map[string]string{"vocab.json": "{}"}, "vocab.json and merges.txt are of use only together"},
		"two tiktoken":   {map[string]string{"a.tiktoken": "", "b.tiktoken": ""}, "2 files *.tiktoken"},
		"unknown class":  {map[string]string{"vocab.json": `{"a":0}`, "merges.txt": "", "tokenizer_config.json": `{"tokenizer_class":"NewTokenizer"}`}, `"NewTokenizer"`},
		"unknown ranks":  {map[string]string{"x.tiktoken": "YQ== 0\n"}, `the number of ranks, 1, is of a vocabulary known here: Qwen (151643)`},
		"bad rank":       {map[string]string{"qwen.tiktoken": "YQ== 0\nYg==\n"}, "line 2"},
		"rank twice":     {map[string]string{"qwen.tiktoken": "YQ== 0\nYg== 0\n"}, "line 2"},
		"not base64":     {map[string]string{"qwen.tiktoken": "%% 0\n"}, "base64"},
		"no message":     {map[string]string{"tokenizer.model": "\xff\xff\xff"}, "ends within a field"},
		"no pieces":      {map[string]string{"tokenizer.model": ""}, "no pieces"},
		"pointer":        {map[string]string{"tokenizer.model": "version https://git-lfs.github.com/spec/v1\n"}, "Git LFS"},
		"merge":          {map[string]string{"vocab.json": `{"a":0}`, "merges.txt": "a a a\n"}, "merges.txt: line 1"},
		"merge unknown":  {map[string]string{"vocab.json": `{"a":0}`, "merges.txt": "a b\n"}, `merge 0 of "a" and "b"`},
		"config":         {map[string]string{"tokenizer.json": model, "tokenizer_config.json": `[`}, "tokenizer_config.json"},
		"config type":    {map[string]string{"tokenizer.json": model, "tokenizer_config.json": `{"add_bos_token":3}`}, "add_bos_token"},
		"named token":    {map[string]string{"tokenizer.json": model, "tokenizer_config.json": `{"eos_token":"<none>"}`}, `eos_token is "<none>", which the tokenizer does not have`},
		"decoder key":    {map[string]string{"tokenizer.json": model, "tokenizer_config.json": `{"added_tokens_decoder":{"x":{}}}`}, `"x" is not an id`},
		"added id":       {map[string]string{"vocab.json": `{"a":0}`, "merges.txt": "", "added_tokens.json": `{"b":0}`}, "share id 0"},
		"llama 3 frames": {map[string]string{"tokenizer.model": "YQ== 0\n", "config.json": `{"model_type":"llama"}`}, "the number of ranks, 1"},
	} {
		_, err := LoadDir(dirWith(t, c.files))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		if missing := name == "empty" || name == "vocab alone"; errors.Is(err, fs.ErrNotExist) != missing {
			t.Errorf("%s: ErrNotExist %t", name, !missing)
		}
	}
}

func TestNamesOfSpecialTokens(t *testing.T) {
	model := small(`"added_tokens":[{"id":9,"content":"<x>","special":true}]`, "")
	for name, c := range map[string]struct {
		files         map[string]string
		bos, eos, pad int32
	}{
		"nothing":       {nil, -1, -1, -1},
		"config.json":   {map[string]string{"config.json": `{"bos_token_id":1,"eos_token_id":[9,2],"pad_token_id":null}`}, 1, 9, -1},
		"unknown id":    {map[string]string{"config.json": `{"eos_token_id":77}`}, -1, -1, -1},
		"null is named": {map[string]string{"config.json": `{"bos_token_id":1}`, "tokenizer_config.json": `{"bos_token":null,"eos_token":"<x>"}`}, -1, 9, -1},
		"older map":     {map[string]string{"special_tokens_map.json": `{"eos_token":{"content":"<x>"},"pad_token":"a"}`, "tokenizer_config.json": `{"pad_token":"b"}`}, -1, 9, 2},
		"added beside":  {map[string]string{"added_tokens.json": `{"<y>":12}`, "tokenizer_config.json": `{"eos_token":"<y>"}`}, -1, 12, -1},
	} {
		files := map[string]string{"tokenizer.json": model}
		for k, v := range c.files {
			files[k] = v
		}
		tok := mustLoadDir(t, files)
		if tok.BOS != c.bos || tok.EOS != c.eos || tok.Pad != c.pad {
			t.Errorf("%s: bos %d, eos %d, pad %d; want %d, %d, %d", name, tok.BOS, tok.EOS, tok.Pad, c.bos, c.eos, c.pad)
		}
	}
}

// letterPieces is a SentencePiece BPE of single letters and their bytes, with further pieces.
func letterPieces(more ...spPiece) *spModel {
	s := &spModel{kind: 2, unk: "<unk>", bos: "<s>", eos: "</s>", dummyPrefix: true, escapeSpaces: true,
		pieces: []spPiece{{"<unk>", 0, spUnknown}, {"<s>", 0, spControl}, {"</s>", 0, spControl}}}
	for b := range 256 {
		s.pieces = append(s.pieces, spPiece{byteName(byte(b)), 0, spByte})
	}
	for _, c := range "▁abcdefghijklmnopqrstuvwxyz" {
		s.pieces = append(s.pieces, spPiece{string(c), -1000, spNormal})
	}
	s.pieces = append(s.pieces, more...)
	return s
}

func names(tok *Tokenizer, ids []int32) string {
	var out []string
	for _, id := range ids {
		token, _ := tok.Token(id)
		out = append(out, token)
	}
	return strings.Join(out, " ")
}

// ChatGLM3's tokenizer.model lacks the special tokens of its Python class, which follow the vocabulary.
func TestChatGLM3(t *testing.T) {
	s := letterPieces(spPiece{"▁p", -1, spNormal}, spPiece{"eo", -2, spNormal})
	for name, files := range map[string]map[string]string{
		"class": {"tokenizer_config.json": `{"tokenizer_class":"ChatGLMTokenizer","auto_map":{"AutoTokenizer":["tokenization_chatglm.ChatGLMTokenizer",null]}}`},
		"type":  {"config.json": `{"model_type":"chatglm","eos_token_id":2,"pad_token_id":0}`},
		"listed": {"tokenizer_config.json": fmt.Sprintf(`{"tokenizer_class":"ChatGLMTokenizer","added_tokens_decoder":{"%d":{"content":"[gMASK]"},"%d":{"content":"sop","special":true}}}`,
			len(s.pieces)+1, len(s.pieces)+3)},
	} {
		t.Run(name, func(t *testing.T) {
			files["tokenizer.model"] = string(sentencePieceFile(s))
			tok := mustLoadDir(t, files)
			if tok.BOS != 1 || tok.EOS != 2 || tok.Pad != 0 || tok.Size() != len(s.pieces)+9 {
				t.Errorf("bos %d, eos %d, pad %d, size %d", tok.BOS, tok.EOS, tok.Pad, tok.Size())
			}
			for i, want := range []string{"[MASK]", "[gMASK]", "[sMASK]", "sop", "eop", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"} {
				if id, ok := tok.ID(want); !ok || id != int32(len(s.pieces)+i) {
					t.Errorf("%s is %d, want %d", want, id, len(s.pieces)+i)
				}
			}
			if got, want := names(tok, tok.Encode("people", true)), "[gMASK] sop ▁p eo p l e"; got != want {
				t.Errorf("%q, want %q: there is no eop in people", got, want)
			}
			if got, want := names(tok, tok.Encode("[gMASK]sop<|user|>\n hi<|assistant|>", false)), "[gMASK] sop <|user|> ▁ <0x0A> ▁ h i <|assistant|>"; got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if ids := tok.EncodeText("<|user|> sop"); slices.ContainsFunc(ids, tok.IsSpecial) {
				t.Errorf("plain text gave %q", names(tok, ids))
			}
			agree(t, tok, tok, []string{"people <|user|>", "[gMASK]sop<|user|>\n hi", "你好"})
		})
	}
}

func TestSentencePieceSettings(t *testing.T) {
	s := letterPieces(spPiece{"▁▁", 0, spUserDefined}, spPiece{"▁▁▁", 0, spUserDefined}, spPiece{"<tag>", 0, spUserDefined}, spPiece{"▁a", -1, spNormal}, spPiece{"ab", -2, spNormal})
	for name, c := range map[string]struct {
		change func(s *spModel)
		config string
		text   string
		want   string
	}{
		"prefix":       {func(s *spModel) {}, "", "ab", "<s> ▁a b"},
		"two spaces":   {func(s *spModel) {}, "", " ab", "<s> ▁▁ ab"}, // user-defined pieces have the best score
		"no prefix":    {func(s *spModel) { s.dummyPrefix = false }, "", "a    a", "<s> a ▁▁▁ ▁a"},
		"frozen":       {func(s *spModel) { s.dummyPrefix = false }, "", "a  a", "<s> a ▁▁ a"},
		"no begin":     {func(s *spModel) {}, `{"add_bos_token":false,"add_eos_token":true}`, "a", "▁a </s>"},
		"per stretch":  {func(s *spModel) {}, "", "a<tag>ab", "<s> ▁a <tag> ▁a b"},
		"not legacy":   {func(s *spModel) {}, `{"legacy":false}`, "a<tag>ab", "<s> ▁a <tag> ab"},
		"extra spaces": {func(s *spModel) { s.extraSpaces = true }, "", "  a   b ", "<s> ▁a ▁ b"},
		"added":        {func(s *spModel) {}, `{"additional_special_tokens":["<new>",{"content":"<tag>"}]}`, "a<new>b", "<s> ▁a <new> ▁ b"},
	} {
		m := *s
		c.change(&m)
		files := map[string]string{"tokenizer.model": string(sentencePieceFile(&m))}
		if c.config != "" {
			files["tokenizer_config.json"] = c.config
		}
		tok := mustLoadDir(t, files)
		if got := names(tok, tok.Encode(c.text, true)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if tag, _ := tok.ID("<tag>"); tok.IsSpecial(tag) != (name == "added") {
			t.Errorf("%s: the user-defined symbol is special: %t", name, tok.IsSpecial(tag))
		}
		agree(t, tok, tok, []string{c.text, "a<tag> b"})
	}
}

func TestRankFamilies(t *testing.T) {
	for _, c := range []struct{ name, class, modelType, path, want string }{
		{"class", "QWenTokenizer", "", "x.tiktoken", "Qwen"},
		{"file", "", "", "cl100k_base.tiktoken", "cl100k_base"},
		{"glm", "ChatGLM4Tokenizer", "chatglm", "tokenizer.model", "GLM-4"},
	} {
		f, err := rankFamilyOf(&config{class: c.class, modelType: c.modelType}, c.path, 5)
		if err != nil || f.name != c.want {
			t.Errorf("%s: %v, %v", c.name, f, err)
		}
	}
	for _, f := range rankFamilies {
		got, err := rankFamilyOf(&config{}, "tokenizer.model", f.size)
		if err != nil || got.name != f.name {
			t.Errorf("%d ranks: %v, %v", f.size, got, err)
		}
	}
	llama, err := rankFamilyOf(&config{modelType: "llama"}, "tokenizer.model", 128000)
	if err != nil || len(llama.specials) != 256 || llama.specials[9] != "<|eot_id|>" || llama.specials[255] != "<|reserved_special_token_247|>" {
		t.Errorf("Llama 3: %v, %d special tokens", err, len(llama.specials))
	}
	files := map[string]string{"tokenizer.model": "YQ== 0\nYg== 1\nIA== 2\n", "tokenizer_config.json": `{"tokenizer_class":"ChatGLM4Tokenizer"}`}
	tok := mustLoadDir(t, files)
	if got, want := names(tok, tok.Encode("ab", true)), "[gMASK] <sop> a b"; got != want || tok.EOS != 3 {
		t.Errorf("GLM-4: %q, want %q; eos %d", got, want, tok.EOS)
	}
}

func TestFiles(t *testing.T) {
	dir := dirWith(t, map[string]string{"vocab.json": "{}", "merges.txt": "", "chat_template.jinja": "", "tokenizer_config.json": "{}", "model.safetensors": ""})
	got, err := Files(dir)
	if want := []string{"chat_template.jinja", "merges.txt", "tokenizer_config.json", "vocab.json"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if _, err := Files(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
}
