package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

const (
	maxFile = 128 << 20 // bytes of a file; the largest in use have some 35 MiB
	maxID   = 1 << 24   // ids end below: an embedding with more rows is a broken file
)

// document is a tokenizer.json. The other formats are read into one too.
type document struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"` // not used: batches are shaped elsewhere
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

var modelKinds = []string{"BPE", "Unigram", "WordPiece", "WordLevel"}

// Load reads the bytes of a tokenizer.json. BOS, EOS and Pad are -1 until Configure names them. Parts that Hone does not
// have are refused by name. The file's truncation and padding are not used: batches are shaped elsewhere.
func Load(file []byte) (*Tokenizer, error) {
	t, err := load(file, nil)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return t, nil
}

// load reads a tokenizer.json and adds tokens that it does not have.
func load(file []byte, more []addedToken) (*Tokenizer, error) {
	file, err := cleanText(file)
	if err != nil {
		return nil, err
	}
	var d document
	if err := json.Unmarshal(file, &d); err != nil {
		return nil, err
	}
	if isNull(d.Model) {
		return nil, errors.New("there is no model")
	}
	m, err := readModel(d.Model)
	if err != nil {
		return nil, err
	}
	for _, t := range more {
		_, known := m.vocab()[t.Content]
		if !known && !slices.ContainsFunc(d.AddedTokens, func(a addedToken) bool { return a.Content == t.Content || a.ID == t.ID }) {
			d.AddedTokens = append(d.AddedTokens, t)
		}
	}
	return build(d, m)
}

// cleanText checks what every text file must be.
func cleanText(file []byte) ([]byte, error) {
	if len(file) > maxFile {
		return nil, fmt.Errorf("%d bytes; at most %d are accepted", len(file), maxFile)
	}
	file = bytes.TrimPrefix(file, []byte("\uFEFF"))
	if !utf8.Valid(file) {
		return nil, errors.New("not valid UTF-8")
	}
	if isPointer(file) {
		return nil, errPointer
	}
	return file, nil
}

var errPointer = errors.New("this is a Git LFS pointer, not the file; fetch it with git lfs pull")

func isPointer(file []byte) bool { return bytes.HasPrefix(file, []byte("version https://git-lfs")) }

func readModel(raw json.RawMessage) (model, error) {
	var head struct {
		Type   string          `json:"type"`
		Vocab  json.RawMessage `json:"vocab"`
		Merges json.RawMessage `json:"merges"`
	}
	// Old files leave out the type, and the fields tell it.
	if err := json.Unmarshal(raw, &head); err == nil && head.Type == "" {
		if bytes.HasPrefix(head.Vocab, []byte("[")) {
			return readUnigram(raw)
		}
		return readBPE(raw)
	}
	kind, err := kindOf(raw, "model", 1, modelKinds)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "BPE":
		return readBPE(raw)
	case "Unigram":
		return readUnigram(raw)
	case "WordPiece":
		return readWordPiece(raw)
	case "WordLevel":
		return readWordLevel(raw)
	}
	panic("tokenizer: model kind " + kind + " is listed but not built")
}

// build puts a tokenizer together from the parts of a document and a model that is read.
func build(d document, m model) (*Tokenizer, error) {
	t := &Tokenizer{BOS: -1, EOS: -1, Pad: -1, model: m}
	var err error
	if !isNull(d.Normalizer) {
		if t.normalizer, err = readNormalizer(d.Normalizer, 1); err != nil {
			return nil, err
		}
	}
	if !isNull(d.PreTokenizer) {
		if t.split, err = readPreTokenizer(d.PreTokenizer, 1); err != nil {
			return nil, err
		}
	}
	if !isNull(d.PostProcessor) {
		if t.post, err = readPostProcessor(d.PostProcessor, 1); err != nil {
			return nil, err
		}
	}
	if !isNull(d.Decoder) {
		if t.decoder, err = readDecoder(d.Decoder, 1); err != nil {
			return nil, err
		}
	}
	if err := t.checkGrowths(); err != nil {
		return nil, err
	}
	if t.added, err = newAddedTokens(d.AddedTokens, t.normalizer); err != nil {
		return nil, err
	}
	if err := t.index(); err != nil {
		return nil, err
	}
	if len(t.added.special) > 0 {
		m.forbid(t.added.special)
	}
	t.passBytes()
	d.Model = nil
	t.file = d
	return t, nil
}

// passBytes lets a BPE model read bytes where the last pre-tokenizer is ByteLevel, so that no word is written out first.
func (t *Tokenizer) passBytes() {
	m, isBPE := t.model.(*bpe)
	if !isBPE || m.file.ByteFallback {
		return
	}
	line, isLine := t.split.(preTokenizers)
	if !isLine {
		line = preTokenizers{t.split}
	}
	if len(line) == 0 {
		return
	}
	last, isBytes := line[len(line)-1].(byteLevel)
	if !isBytes {
		return
	}
	last.raw = true
	line[len(line)-1] = last
	if !last.prefixSpace && !last.regex && len(line) > 1 {
		line = line[:len(line)-1] // it has nothing left to do
	}
	t.split = line
	m.readBytes()
}

func (t *Tokenizer) checkGrowths() error {
	text := sameLength
	if t.normalizer != nil {
		text = text.then(t.normalizer.growth())
	}
	if t.split != nil {
		text = text.then(t.split.growth())
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
func (t *Tokenizer) index() error {
	vocab := t.model.vocab()
	t.tokens = make(map[int32]string, len(vocab)+len(t.added.list))
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
	t.modelSize = t.size
	for _, a := range t.added.list {
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
