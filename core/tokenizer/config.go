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
	"strconv"
	"strings"
)

// config is what a directory says about its tokenizer beside the vocabulary: tokenizer_config.json, and the files that stand
// in for it or add to it.
type config struct {
	all       map[string]json.RawMessage // tokenizer_config.json as it is; nil where there is none
	class     string                     // tokenizer_class, without the Fast of its end
	modelType string                     // of config.json

	addBOS, addEOS, addPrefixSpace, legacy *bool

	added    []addedToken           // of added_tokens.json and added_tokens_decoder, ordered by id
	named    map[string]addedToken  // special tokens by role; id -1
	extra    []string               // additional_special_tokens
	modelIDs map[string]json.Number // bos_token_id and the like of config.json, used where nothing names tokens
}

// roles are the tokens that a configuration can name, in the order in which transformers numbers new ones.
var roles = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

const (
	configFile   = "tokenizer_config.json"
	specialsFile = "special_tokens_map.json"
	addedFile    = "added_tokens.json"
	modelFile    = "config.json"
)

// readConfig reads what there is in dir; no file of it must be there.
func readConfig(dir string) (config, error) {
	c := config{named: map[string]addedToken{}}
	read := func(name string, into any) (bool, error) {
		path := filepath.Join(dir, name)
		raw, err := readBounded(path)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err == nil {
			if raw, err = cleanText(raw); err == nil {
				err = json.Unmarshal(raw, into)
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", path, err)
			}
		}
		return true, err
	}
	var older map[string]json.RawMessage
	hasOlder, err := read(specialsFile, &older)
	if err != nil {
		return c, err
	}
	// The older special_tokens_map.json comes first, so that tokenizer_config.json has the last word.
	if err := c.take(older); err != nil {
		return c, fmt.Errorf("%s: %w", filepath.Join(dir, specialsFile), err)
	}
	var byName map[string]int32
	if _, err := read(addedFile, &byName); err != nil {
		return c, err
	}
	for content, id := range byName {
		c.added = append(c.added, addedToken{ID: id, Content: content})
	}
	hasConfig, err := read(configFile, &c.all)
	if err != nil {
		return c, err
	}
	if err := c.take(c.all); err != nil {
		return c, fmt.Errorf("%s: %w", filepath.Join(dir, configFile), err)
	}
	var m struct {
		ModelType string          `json:"model_type"`
		BOS       json.RawMessage `json:"bos_token_id"`
		EOS       json.RawMessage `json:"eos_token_id"`
		Pad       json.RawMessage `json:"pad_token_id"`
	}
	if _, err := read(modelFile, &m); err != nil {
		return c, err
	}
	c.modelType = m.ModelType
	if !hasConfig && !hasOlder {
		c.modelIDs = map[string]json.Number{}
		for role, raw := range map[string]json.RawMessage{"bos_token": m.BOS, "eos_token": m.EOS, "pad_token": m.Pad} {
			var one json.Number
			var list []json.Number // several tokens may end a text; the first is the usual one
			if json.Unmarshal(raw, &one) != nil && json.Unmarshal(raw, &list) == nil && len(list) > 0 {
				one = list[0]
			}
			c.modelIDs[role] = one
		}
	}
	for i := range c.added {
		a := &c.added[i]
		a.Special = a.Special || c.isNamed(a.Content)
	}
	slices.SortStableFunc(c.added, func(a, b addedToken) int { return int(a.ID) - int(b.ID) })
	return c, nil
}

// take reads the fields of a tokenizer_config.json or special_tokens_map.json.
func (c *config) take(all map[string]json.RawMessage) error {
	get := func(name string, into any) error {
		if raw := all[name]; !isNull(raw) {
			if err := json.Unmarshal(raw, into); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
	for _, role := range roles {
		var t namedToken
		if err := get(role, &t); err != nil {
			return err
		}
		if t.Content != "" {
			c.named[role] = addedToken(t)
		}
	}
	var extra []namedToken
	if err := get("additional_special_tokens", &extra); err != nil {
		return err
	}
	for _, t := range extra {
		if t.Content != "" && !slices.Contains(c.extra, t.Content) {
			c.extra = append(c.extra, t.Content)
		}
	}
	var class string
	var decoder map[string]addedToken
	err := errors.Join(get("tokenizer_class", &class), get("add_bos_token", &c.addBOS), get("add_eos_token", &c.addEOS),
		get("add_prefix_space", &c.addPrefixSpace), get("legacy", &c.legacy), get("added_tokens_decoder", &decoder))
	if err != nil {
		return err
	}
	if class != "" {
		c.class = strings.TrimSuffix(class, "Fast")
	}
	for key, t := range decoder {
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil || id < 0 {
			return fmt.Errorf("added_tokens_decoder: %q is not an id", key)
		}
		t.ID = int32(id)
		c.added = slices.DeleteFunc(c.added, func(a addedToken) bool { return a.Content == t.Content })
		c.added = append(c.added, t)
	}
	return nil
}

// isNamed reports a token that has a role or is listed as special.
func (c *config) isNamed(content string) bool {
	for _, t := range c.named {
		if t.Content == content {
			return true
		}
	}
	return slices.Contains(c.extra, content)
}

// tokens are the added tokens of a vocabulary that is no tokenizer.json: own, which the format itself has, those that the files beside it
// list, and those that they name and nothing has yet, which get the next ids.
func (c *config) tokens(own []addedToken, vocab vocabulary) []addedToken {
	list := slices.Clone(own)
	next := int32(0)
	for _, id := range vocab {
		next = max(next, id+1)
	}
	for _, t := range c.added {
		list = slices.DeleteFunc(list, func(o addedToken) bool { return o.Content == t.Content })
		list = append(list, t)
	}
	for _, t := range list {
		next = max(next, t.ID+1)
	}
	add := func(t addedToken) {
		if i := slices.IndexFunc(list, func(o addedToken) bool { return o.Content == t.Content }); i >= 0 {
			list[i].Special = true
			return
		}
		id, known := vocab[t.Content]
		if !known {
			id = next
			next++
		}
		t.ID, t.Special, t.Normalized = id, true, false
		list = append(list, t)
	}
	for _, role := range roles {
		if t, ok := c.named[role]; ok {
			add(t)
		}
	}
	for _, content := range c.extra {
		add(addedToken{Content: content})
	}
	slices.SortStableFunc(list, func(a, b addedToken) int { return int(a.ID) - int(b.ID) })
	return list
}

// apply tells a tokenizer which tokens begin, end and pad a text.
func (c *config) apply(t *Tokenizer) error {
	for role, into := range map[string]*int32{"bos_token": &t.BOS, "eos_token": &t.EOS, "pad_token": &t.Pad} {
		if named, ok := c.named[role]; ok {
			id, known := t.ID(named.Content)
			if !known {
				return fmt.Errorf("%s is %q, which the tokenizer does not have", role, named.Content)
			}
			*into = id
		} else if id, err := c.modelIDs[role].Int64(); err == nil && id >= 0 && id < maxID {
			if _, known := t.tokens[int32(id)]; known {
				*into = int32(id)
			}
		}
	}
	return nil
}

// Configure takes bos_token, eos_token and pad_token from the bytes of a tokenizer_config.json. A token that is null or
// not named stays as it was. It is called before the tokenizer is shared.
func (t *Tokenizer) Configure(file []byte) error {
	c := config{named: map[string]addedToken{}}
	if err := json.Unmarshal(bytes.TrimPrefix(file, []byte("\uFEFF")), &c.all); err != nil {
		return err
	}
	if err := c.take(c.all); err != nil {
		return err
	}
	t.config = c
	return c.apply(t)
}

// namedToken reads a token that is written as a string or as an object with content.
type namedToken addedToken

func (n *namedToken) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '{' {
		return json.Unmarshal(raw, (*addedToken)(n))
	}
	return json.Unmarshal(raw, &n.Content)
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
