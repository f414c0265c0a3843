package chat

import (
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
