package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// LoadFile reads a tokenizer.json.
func LoadFile(path string) (*Tokenizer, error) {
	file, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	t, err := load(file, nil)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", path, err)
	}
	return t, nil
}

// LoadDir reads the tokenizer of a model directory, from the first of these that is there: tokenizer.json, tokenizer.model (of SentencePiece, or
// tiktoken's ranks), a file *.tiktoken, vocab.json with merges.txt. tokenizer_config.json, special_tokens_map.json and
// added_tokens.json beside it say which further tokens there are and which ones begin, end and pad a text; where the first
// two are missing, the ids in config.json do. The error of a directory without a tokenizer is fs.ErrNotExist.
func LoadDir(dir string) (*Tokenizer, error) {
	c, err := readConfig(dir)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	path, read, err := find(dir)
	if err != nil {
		return nil, err
	}
	file, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	t, err := read(file, &c, path)
	if err == nil {
		t.config = c
		err = c.apply(t)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", path, err)
	}
	return t, nil
}

// reader makes a tokenizer of a file's bytes.
type reader func(file []byte, c *config, path string) (*Tokenizer, error)

// find tells which file of a directory has the vocabulary, and who reads it.
func find(dir string) (path string, read reader, err error) {
	exists := func(name string) bool {
		path = filepath.Join(dir, name)
		_, err := os.Stat(path)
		return err == nil
	}
	if exists("tokenizer.json") {
		return path, func(file []byte, c *config, _ string) (*Tokenizer, error) { return load(file, c.added) }, nil
	}
	if exists("tokenizer.model") {
		return path, readTokenizerModel, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", nil, fmt.Errorf("tokenizer: %w", err)
	}
	var ranks []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".tiktoken" {
			ranks = append(ranks, filepath.Join(dir, e.Name()))
		}
	}
	switch {
	case len(ranks) == 1:
		return ranks[0], readTiktoken, nil
	case len(ranks) > 1:
		return "", nil, fmt.Errorf("tokenizer: %s has %d files *.tiktoken; leave the one that belongs to the model", dir, len(ranks))
	}
	vocab, merges := exists("vocab.json"), exists("merges.txt")
	if vocab && merges {
		return filepath.Join(dir, "vocab.json"), readVocabAndMerges, nil
	}
	beside := ""
	if vocab != merges {
		beside = "; vocab.json and merges.txt are of use only together"
	}
	return "", nil, fmt.Errorf("tokenizer: %s has none; looked for tokenizer.json, tokenizer.model, *.tiktoken, vocab.json with merges.txt%s: %w", dir, beside, fs.ErrNotExist)
}

// readTokenizerModel tells the two formats apart that bear the name: ranks are lines of base64 and a number, a SentencePiece
// model is a binary message.
func readTokenizerModel(file []byte, c *config, path string) (*Tokenizer, error) {
	if isPointer(file) {
		return nil, errPointer
	}
	line, _, _ := bytes.Cut(file[:min(len(file), 4096)], []byte("\n"))
	if _, _, err := rankLine(line); err == nil {
		return readTiktoken(file, c, path)
	}
	return readSentencePiece(file, c)
}

// Files lists the files in dir that make its tokenizer and say how it is used, the chat template among them. Copied
// elsewhere, they load as the same tokenizer.
func Files(dir string) ([]string, error) {
	path, _, err := find(dir)
	if err != nil {
		return nil, err
	}
	out := []string{filepath.Base(path)}
	for _, name := range []string{"merges.txt", configFile, specialsFile, addedFile, "chat_template.jinja"} {
		if name == "merges.txt" && out[0] != "vocab.json" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			out = append(out, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("tokenizer: %w", err)
		}
	}
	slices.Sort(out)
	return out, nil
}
