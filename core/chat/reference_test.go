package chat

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// untrainable are the reference templates that refuse a plain conversation, with what they say.
var untrainable = map[string]string{
	"blenderbot_small":                                   "does not begin the text that has the answer", // an end token behind the question
	"codellama/CodeLlama-70b-Instruct-hf":                "does not begin the text that has the answer", // asks otherwise than it answers
	"fireworks-ai/firefunction-v1":                       `Expected either "functions"`,
	"CohereForAI/c4ai-command-r-v01":                     "None", // it needs tools
	"NousResearch/Hermes-2-Pro-Llama-3-8B (JSON Schema)": "None",
}

// Templates of published models train: hostile words stay words, prompts begin the trained text, and each answer is learnt, or counted.
func TestReferenceTemplates(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "templates", "chat_template_cases.json"))
	if err != nil {
		t.Skip("../shared is not beside this checkout; TestShapes and TestHostileWords have templates of ours")
	}
	var cases []struct {
		Name     string
		Template string `json:"chat_template"`
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	tok := byteLevel(t)
	for _, c := range cases {
		template, err := NewJinja(c.Name, c.Template, map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
		if err != nil {
			t.Error(err)
			continue
		}
		var r Report
		_, labels, err := Encode(tok, template, say("hi", "yes", "why", "no"), EncodeOptions{Report: &r})
		if want, ok := untrainable[c.Name]; ok {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want one with %q", c.Name, err, want)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		var learnt []int32
		for _, l := range labels {
			if l != Ignored {
				learnt = append(learnt, l)
			}
		}
		if s := tok.Decode(learnt, false); !strings.Contains(s, "no") || strings.Contains(s, "yes") == (r.Rewritten > 0) || strings.Contains(s, "why") {
			t.Errorf("%s learns %q and counts %+v", c.Name, s, r)
		}
		for i, w := range hostileWords {
			if !strings.Contains(w, "think") {
				check(t, tok, c.Name, template, say(w, "a\n", "x", hostileWords[(i+1)%18]))
			}
		}
	}
}
