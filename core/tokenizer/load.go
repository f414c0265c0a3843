package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"
)

const (
	maxFile = 256 << 20 // bytes of a tokenizer.json; the largest in use have some 30 MiB
	maxID   = 1 << 24   // ids end below: an embedding with more rows is a broken file
)

var modelKinds = []string{"BPE"}

// Load reads the bytes of a tokenizer.json. BOS, EOS and Pad are -1 until Configure names them. Parts that Hone does not
// have are refused by name. The file's truncation and padding are not used: batches are shaped elsewhere.
func Load(file []byte) (*Tokenizer, error) {
	t, err := load(file)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return t, nil
}

func load(file []byte) (*Tokenizer, error) {
	if len(file) > maxFile {
		return nil, fmt.Errorf("%d bytes; at most %d are accepted", len(file), maxFile)
	}
	file = bytes.TrimPrefix(file, []byte("\uFEFF"))
	if !utf8.Valid(file) {
		return nil, errors.New("not valid UTF-8")
	}
	if bytes.HasPrefix(file, []byte("version https://git-lfs")) {
		return nil, errors.New("this is a Git LFS pointer, not the file; fetch it with git lfs pull")
	}
	var f struct {
		AddedTokens   []addedToken    `json:"added_tokens"`
		Normalizer    json.RawMessage `json:"normalizer"`
		PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
		PostProcessor json.RawMessage `json:"post_processor"`
		Decoder       json.RawMessage `json:"decoder"`
		Model         json.RawMessage `json:"model"`
	}
	if err := json.Unmarshal(file, &f); err != nil {
		return nil, err
	}
	t := &Tokenizer{BOS: -1, EOS: -1, Pad: -1}
	if isNull(f.Model) {
		return nil, errors.New("there is no model")
	}
	var err error
	if t.model, err = readModel(f.Model); err != nil {
		return nil, err
	}
	if !isNull(f.Normalizer) {
		if t.normalizer, err = readNormalizer(f.Normalizer, 1); err != nil {
			return nil, err
		}
	}
	if !isNull(f.PreTokenizer) {
		if t.split, err = readPreTokenizer(f.PreTokenizer, 1); err != nil {
			return nil, err
		}
	}
	if !isNull(f.PostProcessor) {
		if t.post, err = readPostProcessor(f.PostProcessor, 1); err != nil {
			return nil, err
		}
	}
	if !isNull(f.Decoder) {
		if t.decoder, err = readDecoder(f.Decoder, 1); err != nil {
			return nil, err
		}
	}
	if err := t.checkGrowths(); err != nil {
		return nil, err
	}
	if t.added, err = newAddedTokens(f.AddedTokens, t.normalizer); err != nil {
		return nil, err
	}
	return t, t.index(f.AddedTokens)
}

func readModel(raw json.RawMessage) (model, error) {
	var head struct {
		Type string `json:"type"`
	}
	// Old files leave out the type of a BPE model.
	if err := json.Unmarshal(raw, &head); err == nil && head.Type == "" {
		return readBPE(raw)
	}
	if _, err := kindOf(raw, "model", 1, modelKinds); err != nil {
		return nil, err
	}
	return readBPE(raw)
}

func (t *Tokenizer) checkGrowths() error {
	text := 1.0
	if t.normalizer != nil {
		text *= t.normalizer.growth()
	}
	if t.split != nil {
		text *= t.split.growth()
	}
	if err := checkGrowth("normalizer and pre_tokenizer", text); err != nil {
		return err
	}
	if t.decoder != nil {
		return checkGrowth("decoder", t.decoder.growth())
	}
	return nil
}

// index fills the way from ids to tokens and checks that it is one.
func (t *Tokenizer) index(added []addedToken) error {
	vocab := t.model.vocab()
	t.tokens = make(map[int32]string, len(vocab)+len(added))
	put := func(token string, id int32) error {
		if id < 0 || id >= maxID {
			return fmt.Errorf("token %q has id %d; ids lie in 0…%d", token, id, maxID-1)
		}
		if other, taken := t.tokens[id]; taken && other != token {
			return fmt.Errorf("tokens %q and %q share id %d", min(other, token), max(other, token), id)
		}
		t.tokens[id] = token
		t.size = max(t.size, int(id)+1)
		return nil
	}
	for token, id := range vocab {
		if err := put(token, id); err != nil {
			return err
		}
	}
	for _, a := range added {
		if a.Content == "" {
			continue
		}
		if id, ok := vocab[a.Content]; ok && id != a.ID {
			return fmt.Errorf("added token %q has id %d, but the vocabulary gives it %d", a.Content, a.ID, id)
		}
		if err := put(a.Content, a.ID); err != nil {
			return err
		}
	}
	if p, ok := t.post.(template); ok {
		for _, id := range slices.Concat(p.before, p.after) {
			if _, known := t.tokens[id]; !known {
				return fmt.Errorf("post_processor puts id %d around a text, which no token has", id)
			}
		}
	}
	return nil
}

// LoadFile reads a tokenizer.json.
func LoadFile(path string) (*Tokenizer, error) {
	file, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	t, err := load(file)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", path, err)
	}
	return t, nil
}

// LoadDir reads tokenizer.json of a model directory, and from tokenizer_config.json and, where it is silent,
// special_tokens_map.json, which tokens begin, end and pad a text.
func LoadDir(dir string) (*Tokenizer, error) {
	path := filepath.Join(dir, "tokenizer.json")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: %s is missing; a model directory needs the tokenizer.json that transformers saves with a fast tokenizer: %w", path, fs.ErrNotExist)
	}
	t, err := LoadFile(path)
	if err != nil {
		return nil, err
	}
	path = filepath.Join(dir, "tokenizer_config.json")
	config, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: %s is missing; it names the tokens that begin and end a text (bos_token, eos_token)", path)
	} else if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	// The older special_tokens_map.json comes first, so that tokenizer_config.json has the last word.
	older := filepath.Join(dir, "special_tokens_map.json")
	if specials, err := readBounded(older); err == nil {
		if err := t.Configure(specials); err != nil {
			return nil, fmt.Errorf("tokenizer %s: %w", older, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if err := t.Configure(config); err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", path, err)
	}
	return t, nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes; at most %d are accepted", path, info.Size(), maxFile)
	}
	return os.ReadFile(path)
}

// Configure takes bos_token, eos_token and pad_token from the bytes of a tokenizer_config.json. A token that is null or
// not named stays as it was. It is called before the tokenizer is shared.
func (t *Tokenizer) Configure(config []byte) error {
	var f struct {
		BOS namedToken `json:"bos_token"`
		EOS namedToken `json:"eos_token"`
		Pad namedToken `json:"pad_token"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(config, []byte("\uFEFF")), &f); err != nil {
		return err
	}
	for _, c := range []struct {
		name  string
		token namedToken
		into  *int32
	}{{"bos_token", f.BOS, &t.BOS}, {"eos_token", f.EOS, &t.EOS}, {"pad_token", f.Pad, &t.Pad}} {
		if c.token == "" {
			continue
		}
		id, ok := t.ID(string(c.token))
		if !ok {
			return fmt.Errorf("%s is %q, which tokenizer.json does not have", c.name, string(c.token))
		}
		*c.into = id
	}
	return nil
}

// namedToken reads a token that is written as a string or as an object with content.
type namedToken string

func (n *namedToken) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '{' {
		var f struct {
			Content string `json:"content"`
		}
		err := json.Unmarshal(raw, &f)
		*n = namedToken(f.Content)
		return err
	}
	var s *string
	err := json.Unmarshal(raw, &s)
	if s != nil {
		*n = namedToken(*s)
	}
	return err
}
