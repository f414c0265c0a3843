package tokenizer

import (
	"encoding/json"
	"fmt"
)

// A postProcessor puts special tokens around the ids of a text.
type postProcessor interface {
	frame(ids []int32) []int32
}

var postProcessorKinds = []string{"Sequence", "TemplateProcessing", "ByteLevel", "RobertaProcessing", "BertProcessing"}

func readPostProcessor(raw json.RawMessage, depth int) (postProcessor, error) {
	const role = "post_processor"
	kind, err := kindOf(raw, role, depth, postProcessorKinds)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "Sequence":
		var f struct {
			Processors []json.RawMessage `json:"processors"`
		}
		if err := fields(raw, role, kind, &f); err != nil {
			return nil, err
		}
		var all template
		for _, r := range f.Processors {
			p, err := readPostProcessor(r, depth+1)
			if err != nil {
				return nil, err
			}
			t := p.(template)
			// A later processor frames what an earlier one has framed.
			all.before = append(append([]int32(nil), t.before...), all.before...)
			all.after = append(all.after, t.after...)
		}
		return all, nil
	case "ByteLevel":
		return template{}, nil // it only moves offsets, and ids have none
	case "RobertaProcessing", "BertProcessing":
		var f struct{ Sep, CLS *numbered }
		if err := fields(raw, role, kind, &f); err != nil {
			return nil, err
		}
		if f.Sep == nil || f.CLS == nil {
			return nil, fmt.Errorf("%s %s: sep or cls is missing", role, kind)
		}
		return template{[]int32{f.CLS.id}, []int32{f.Sep.id}}, nil
	case "TemplateProcessing":
		return readTemplate(raw, role)
	}
	panic("tokenizer: post-processor kind " + kind + " is listed but not built")
}

// template is the frame of a single text. Pairs of texts are for encoders, which are not read here.
type template struct{ before, after []int32 }

// numbered is a token with its id, in a file ["</s>", 2].
type numbered struct {
	token string
	id    int32
}

func (n *numbered) UnmarshalJSON(raw []byte) error {
	list := [2]any{&n.token, &n.id}
	return json.Unmarshal(raw, &list)
}

func readTemplate(raw json.RawMessage, role string) (postProcessor, error) {
	type named struct {
		ID string `json:"id"`
	}
	var f struct {
		Single []struct {
			SpecialToken *named
			Sequence     *named
		} `json:"single"`
		SpecialTokens map[string]struct {
			IDs []int32 `json:"ids"`
		} `json:"special_tokens"`
	}
	if err := fields(raw, role, "TemplateProcessing", &f); err != nil {
		return nil, err
	}
	var t template
	seen := false
	for i, item := range f.Single {
		switch {
		case item.SpecialToken != nil:
			special, ok := f.SpecialTokens[item.SpecialToken.ID]
			if !ok {
				return nil, fmt.Errorf("%s TemplateProcessing: item %d names %q, which special_tokens does not list", role, i, item.SpecialToken.ID)
			}
			if len(t.before)+len(t.after)+len(special.IDs) > 1024 {
				return nil, fmt.Errorf("%s TemplateProcessing: more than 1024 special tokens around a text", role)
			}
			if seen {
				t.after = append(t.after, special.IDs...)
			} else {
				t.before = append(t.before, special.IDs...)
			}
		case item.Sequence != nil && item.Sequence.ID == "A" && !seen:
			seen = true
		default:
			return nil, fmt.Errorf("%s TemplateProcessing: item %d of single is neither a special token nor the one sequence A", role, i)
		}
	}
	if !seen {
		return nil, fmt.Errorf("%s TemplateProcessing: single has no sequence A", role)
	}
	return t, nil
}

func (t template) frame(ids []int32) []int32 {
	out := make([]int32, 0, len(t.before)+len(ids)+len(t.after))
	out = append(out, t.before...)
	out = append(out, ids...)
	return append(out, t.after...)
}
