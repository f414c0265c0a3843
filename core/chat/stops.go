package chat

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"hone/core/tokenizer"
)

// Stops gives the ids that end an answer: the tokenizer's end token, those of the model's configuration (eos_token_id of config.json and
// generation_config.json, a number or a list), and the special token that the template writes behind an answer.
func Stops(tok *tokenizer.Tokenizer, template Template, config []int32) []int32 {
	var out []int32
	add := func(id int32) {
		if id >= 0 && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	add(tok.EOS)
	for _, id := range config {
		add(id)
	}
	if t, ok := template.(interface{ stops() []string }); ok {
		for _, name := range t.stops() {
			if id, ok := tok.ID(name); ok {
				add(id)
			}
		}
	}
	e := encoder{tok: tok}
	for _, id := range ending(template).encode(tok) {
		if e.control(id) {
			add(id)
			break
		}
	}
	return out
}

// ConfigStops reads the end tokens of a model directory, eos_token_id of config.json and generation_config.json.
func ConfigStops(dir string) ([]int32, error) {
	var out []int32
	for _, name := range []string{"config.json", "generation_config.json"} {
		path := filepath.Join(dir, name)
		raw, err := readFile(path)
		if err != nil {
			return nil, err
		}
		var file struct {
			EOS json.RawMessage `json:"eos_token_id"`
		}
		if raw == nil {
			continue
		}
		if err := json.Unmarshal(raw, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		var one *int32
		var list []int32
		if len(file.EOS) == 0 || json.Unmarshal(file.EOS, &list) == nil {
			out = append(out, list...)
		} else if json.Unmarshal(file.EOS, &one) != nil {
			return nil, fmt.Errorf("%s: eos_token_id is %s; expected a whole number or a list of them", path, kind(file.EOS))
		} else if one != nil {
			out = append(out, *one)
		}
	}
	return out, nil
}

// StopStrings gives the text that ends an answer where the template marks its end with letters instead of a special token.
func StopStrings(tok *tokenizer.Tokenizer, template Template) []string {
	e, end := encoder{tok: tok}, ending(template)
	if text := strings.TrimSpace(end.Text); text != "" && !slices.ContainsFunc(end.encode(tok), e.control) {
		return []string{text}
	}
	return nil
}

// ending is what a template writes behind the last words of an answer.
func ending(template Template) Segment {
	segments, err := template.Segments([]Message{{Role: "user", Content: "x"}, {Role: "assistant", Content: "y"}}, false)
	if err != nil {
		return Segment{}
	}
	for _, s := range segments {
		if n := len(s.Letters); s.Supervised && s.Special && n > 0 {
			return s.cut(s.Letters[n-1].To, len(s.Text))
		}
	}
	return Segment{}
}
