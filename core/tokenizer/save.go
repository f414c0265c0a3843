package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// The tokenizer.json of a trained vocabulary. The parts and their order are those that transformers writes for Llama.
type (
	fileTop struct {
		Version       string       `json:"version"`
		Truncation    *struct{}    `json:"truncation"`
		Padding       *struct{}    `json:"padding"`
		AddedTokens   []addedToken `json:"added_tokens"`
		Normalizer    fileSequence `json:"normalizer"`
		PreTokenizer  *struct{}    `json:"pre_tokenizer"`
		PostProcessor fileTemplate `json:"post_processor"`
		Decoder       fileSequence `json:"decoder"`
		Model         fileBPE      `json:"model"`
	}
	fileSequence struct {
		Type        string `json:"type"`
		Normalizers []any  `json:"normalizers,omitempty"`
		Decoders    []any  `json:"decoders,omitempty"`
	}
	fileTemplate struct {
		Type          string         `json:"type"`
		Single        []any          `json:"single"`
		Pair          []any          `json:"pair"`
		SpecialTokens map[string]any `json:"special_tokens"`
	}
	fileBPE struct {
		Type         string       `json:"type"`
		Dropout      *float64     `json:"dropout"`
		UnkToken     string       `json:"unk_token"`
		Prefix       *string      `json:"continuing_subword_prefix"`
		Suffix       *string      `json:"end_of_word_suffix"`
		FuseUnk      bool         `json:"fuse_unk"`
		ByteFallback bool         `json:"byte_fallback"`
		IgnoreMerges bool         `json:"ignore_merges"`
		Vocab        orderedVocab `json:"vocab"`
		Merges       []string     `json:"merges"`
	}
	object map[string]any
)

// orderedVocab writes tokens in the order of their ids, as one reads them.
type orderedVocab []string

func (v orderedVocab) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for id, token := range v {
		key, err := plainJSON(token, "")
		if err != nil {
			return nil, err
		}
		if id > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(append(b, bytes.TrimSpace(key)...), ":%d", id)
	}
	return append(b, '}'), nil
}

func plainJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// TokenizerJSON is the vocabulary as a tokenizer.json that the tokenizers crate reads too.
func (t *Trained) TokenizerJSON() ([]byte, error) {
	f := fileTop{Version: "1.0"}
	for id, s := range t.Specials {
		f.AddedTokens = append(f.AddedTokens, addedToken{ID: int32(id), Content: s, Special: true})
	}
	replace := func(old, content string) any {
		return struct {
			Type    string            `json:"type"`
			Pattern map[string]string `json:"pattern"`
			Content string            `json:"content"`
		}{"Replace", map[string]string{"String": old}, content}
	}
	kind := func(name string) any { return object{"type": name} }
	f.Normalizer = fileSequence{Type: "Sequence", Normalizers: []any{
		struct {
			Type    string `json:"type"`
			Prepend string `json:"prepend"`
		}{"Prepend", space},
		replace(" ", space),
	}}
	f.Decoder = fileSequence{Type: "Sequence", Decoders: []any{
		replace(space, " "), kind("ByteFallback"), kind("Fuse"),
		struct {
			Type    string `json:"type"`
			Content string `json:"content"`
			Start   int    `json:"start"`
			Stop    int    `json:"stop"`
		}{"Strip", " ", 1, 0},
	}}
	token := func(id string, segment int) any {
		return object{"SpecialToken": object{"id": id, "type_id": segment}}
	}
	text := func(id string, segment int) any { return object{"Sequence": object{"id": id, "type_id": segment}} }
	f.PostProcessor = fileTemplate{"TemplateProcessing", []any{token("<s>", 0), text("A", 0)},
		[]any{token("<s>", 0), text("A", 0), token("<s>", 1), text("B", 1)},
		map[string]any{"<s>": object{"id": "<s>", "ids": []int{1}, "tokens": []string{"<s>"}}}}
	f.Model = fileBPE{Type: "BPE", UnkToken: "<unk>", FuseUnk: true, ByteFallback: true, Vocab: t.Vocab, Merges: []string{}}
	for _, m := range t.Merges {
		f.Model.Merges = append(f.Model.Merges, m[0]+" "+m[1])
	}
	return plainJSON(f, "  ")
}

// ConfigJSON is the tokenizer_config.json that goes with it.
func (t *Trained) ConfigJSON() ([]byte, error) {
	var pad *string
	if t.Pad != "" {
		pad = &t.Pad
	}
	return plainJSON(struct {
		AddBOS    bool    `json:"add_bos_token"`
		AddEOS    bool    `json:"add_eos_token"`
		BOS       string  `json:"bos_token"`
		CleanUp   bool    `json:"clean_up_tokenization_spaces"`
		EOS       string  `json:"eos_token"`
		MaxLength int     `json:"model_max_length"`
		Pad       *string `json:"pad_token"`
		Class     string  `json:"tokenizer_class"`
		Unk       string  `json:"unk_token"`
	}{true, false, "<s>", false, "</s>", 1 << 20, pad, "PreTrainedTokenizerFast", "<unk>"}, "  ")
}

// Tokenizer makes the vocabulary usable, by the way that a file would take.
func (t *Trained) Tokenizer() (*Tokenizer, error) {
	file, err := t.TokenizerJSON()
	if err != nil {
		return nil, err
	}
	config, err := t.ConfigJSON()
	if err != nil {
		return nil, err
	}
	tok, err := Load(file)
	if err != nil {
		return nil, err
	}
	return tok, tok.Configure(config)
}

// Save writes tokenizer.json and tokenizer_config.json into dir, which it makes when missing.
func (t *Trained) Save(dir string) error {
	file, err := t.TokenizerJSON()
	if err != nil {
		return err
	}
	config, err := t.ConfigJSON()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	for name, content := range map[string][]byte{"tokenizer.json": file, "tokenizer_config.json": config} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			return fmt.Errorf("tokenizer: %w", err)
		}
	}
	return nil
}
