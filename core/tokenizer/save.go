package tokenizer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// TokenizerJSON is the tokenizer as a tokenizer.json, whatever it was read from. Loaded again it gives the same ids.
func (t *Tokenizer) TokenizerJSON() ([]byte, error) {
	return writeDocument(t.file, t.model)
}

func writeDocument(d document, m model) ([]byte, error) {
	raw, err := plainJSON(m.write(), "")
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	d.Model = raw
	if d.Version == "" {
		d.Version = "1.0"
	}
	if d.AddedTokens == nil {
		d.AddedTokens = []addedToken{}
	}
	return plainJSON(d, "  ")
}

// ConfigJSON is the tokenizer_config.json that goes with it: the one that was read, with the names of the tokens that begin,
// end and pad a text. Settings that only count for the file that was read are left out.
func (t *Tokenizer) ConfigJSON() ([]byte, error) {
	all := map[string]json.RawMessage{"tokenizer_class": json.RawMessage(`"PreTrainedTokenizerFast"`), "clean_up_tokenization_spaces": json.RawMessage("false")}
	for name, value := range t.config.all {
		switch name {
		case "tokenizer_class", "auto_map", "added_tokens_decoder", "tokenizer_file", "vocab_file", "name_or_path":
		default:
			all[name] = value
		}
	}
	for role, id := range map[string]int32{"bos_token": t.BOS, "eos_token": t.EOS, "pad_token": t.Pad} {
		if token, ok := t.tokens[id]; ok {
			all[role] = appendJSON(nil, token)
		}
	}
	return plainJSON(all, "  ")
}

// Save writes tokenizer.json and tokenizer_config.json into dir, which it makes when missing.
func (t *Tokenizer) Save(dir string) error { return save(dir, t) }

func save(dir string, t interface {
	TokenizerJSON() ([]byte, error)
	ConfigJSON() ([]byte, error)
}) error {
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
	for name, content := range map[string][]byte{"tokenizer.json": file, configFile: config} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			return fmt.Errorf("tokenizer: %w", err)
		}
	}
	return nil
}

// parts are the document and the model of a trained vocabulary. The parts and their order are those that transformers
// writes for Llama.
func (t *Trained) parts() (document, *bpe, error) {
	d := document{Version: "1.0",
		Normalizer: json.RawMessage(`{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}`),
		Decoder: json.RawMessage(`{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},` +
			`{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}`)}
	for id, s := range t.Specials {
		d.AddedTokens = append(d.AddedTokens, addedToken{ID: int32(id), Content: s, Special: true})
	}
	unk := "<unk>"
	f := bpeFile{UnkToken: &unk, FuseUnk: true, ByteFallback: true, Vocab: vocabulary{}}
	for id, token := range t.Vocab {
		f.Vocab[token] = int32(id)
	}
	for _, m := range t.Merges {
		f.Merges = append(f.Merges, mergePair(m))
	}
	var err error
	if d.PostProcessor, err = frameParts(d.AddedTokens, f.Vocab, []string{"<s>"}, nil); err != nil {
		return d, nil, err
	}
	m, err := newBPE(f)
	return d, m, err
}

// TokenizerJSON is the vocabulary as a tokenizer.json that the tokenizers crate reads too.
func (t *Trained) TokenizerJSON() ([]byte, error) {
	d, m, err := t.parts()
	if err != nil {
		return nil, err
	}
	return writeDocument(d, m)
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

// Tokenizer makes the vocabulary usable.
func (t *Trained) Tokenizer() (*Tokenizer, error) {
	d, m, err := t.parts()
	if err != nil {
		return nil, err
	}
	config, err := t.ConfigJSON()
	if err != nil {
		return nil, err
	}
	tok, err := build(d, m)
	if err != nil {
		return nil, err
	}
	return tok, tok.Configure(config)
}

// Save writes tokenizer.json and tokenizer_config.json into dir, which it makes when missing.
func (t *Trained) Save(dir string) error { return save(dir, t) }
