package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ForModel gives the template of a model directory: what stands in chat_template.jinja, in chat_template.json or under chat_template in
// tokenizer_config.json, the first of these that there is. Without any it is ChatGLM3's layout for a model of that type, else Plain.
func ForModel(dir string) (Template, error) {
	where, source, err := modelTemplate(dir)
	if err != nil || source != "" {
		return fromSource(where, source, dir, err)
	}
	var config struct {
		ModelType string `json:"model_type"`
	}
	raw, err := readFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(raw, &config) == nil && config.ModelType == "chatglm" {
		return ChatGLM3, nil
	}
	return Plain, nil
}

// ForAdapter gives the template that an adapter was trained with, where its directory holds one, else that of its model.
func ForAdapter(adapter, model string) (Template, error) {
	where, source, err := modelTemplate(adapter)
	if err != nil || source != "" {
		return fromSource(where, source, model, err)
	}
	return ForModel(model)
}

// fromSource makes a template of its source, with the special tokens of a model directory.
func fromSource(where, source, model string, err error) (Template, error) {
	if err != nil {
		return nil, err
	}
	if source == plainSource {
		return Plain, nil
	}
	var files [2][]byte
	for i, name := range []string{"tokenizer_config.json", "special_tokens_map.json"} {
		if files[i], err = readFile(filepath.Join(model, name)); err != nil {
			return nil, err
		}
	}
	return NewJinja(where, source, specialTokens(files[:]...))
}

// maxTemplateFile bounds the files that are read; a tokenizer_config.json may list thousands of added tokens.
const maxTemplateFile = 16 << 20

func modelTemplate(dir string) (where, source string, err error) {
	where = filepath.Join(dir, "chat_template.jinja")
	raw, err := readFile(where)
	if err != nil || raw != nil {
		return where, string(raw), err
	}
	for _, name := range []string{"chat_template.json", "tokenizer_config.json"} {
		where = filepath.Join(dir, name)
		raw, err := readFile(where)
		if err != nil {
			return where, "", err
		}
		if raw == nil {
			continue
		}
		var file struct {
			Template json.RawMessage `json:"chat_template"`
		}
		if err := json.Unmarshal(raw, &file); err != nil {
			return where, "", fmt.Errorf("%s: %w", where, err)
		}
		source, err := namedTemplate(file.Template)
		if err != nil {
			return where, "", fmt.Errorf("%s: chat_template: %w", where, err)
		}
		if source != "" {
			return where, source, nil
		}
	}
	return "", "", nil
}

// namedTemplate reads a template as tokenizer_config.json writes it: a string, or a list of {name, template} of which the one
// called default counts.
func namedTemplate(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var source string
	if json.Unmarshal(raw, &source) == nil {
		return source, nil
	}
	var list []struct{ Name, Template string }
	if err := json.Unmarshal(raw, &list); err != nil {
		return "", fmt.Errorf("it is %s; expected a string or a list of {name, template}", kind(raw))
	}
	for _, t := range list {
		if t.Name == "default" {
			return t.Template, nil
		}
	}
	return "", fmt.Errorf("it lists %d templates and none is called default", len(list))
}

// readFile reads a file of the model; nil where there is none.
func readFile(path string) ([]byte, error) {
	f, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && f.Size() > maxTemplateFile {
		return nil, fmt.Errorf("%s has %d bytes; at most %d are read", path, f.Size(), maxTemplateFile)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
