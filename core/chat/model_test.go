package chat

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestForModel(t *testing.T) {
	chatml := shapes["chatml"]
	quoted := func(s string) string { raw, _ := json.Marshal(s); return string(raw) }
	for name, c := range map[string]struct {
		files map[string]string
		want  string // the source, a name, or part of the error
	}{
		"none":       {map[string]string{"config.json": `{"model_type": "llama"}`}, "plain"},
		"chatglm":    {map[string]string{"config.json": `{"model_type": "chatglm"}`, "tokenizer_config.json": `{"chat_template": null}`}, "chatglm3"},
		"file":       {map[string]string{"chat_template.jinja": chatml, "tokenizer_config.json": `{"chat_template": "x"}`}, chatml},
		"json":       {map[string]string{"chat_template.json": `{"chat_template": ` + quoted(chatml) + `}`}, chatml},
		"config":     {map[string]string{"tokenizer_config.json": `{"chat_template": ` + quoted(chatml) + `}`}, chatml},
		"list":       {map[string]string{"tokenizer_config.json": `{"chat_template": [{"name": "tool_use", "template": "x"}, {"name": "default", "template": ` + quoted(chatml) + `}]}`}, chatml},
		"no default": {map[string]string{"tokenizer_config.json": `{"chat_template": [{"name": "rag", "template": "x"}]}`}, "none is called default"},
		"number":     {map[string]string{"tokenizer_config.json": `{"chat_template": 7}`}, "it is a number"},
		"no JSON":    {map[string]string{"tokenizer_config.json": `{`}, "tokenizer_config.json"},
		"no Jinja":   {map[string]string{"chat_template.jinja": "a\n{% if %}"}, "line 2"},
		"ours":       {map[string]string{"chat_template.jinja": plainSource}, "plain"},
	} {
		dir := t.TempDir()
		for file, content := range c.files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		template, err := ForModel(dir)
		switch {
		case err != nil:
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		case c.want != template.Name() && (c.want != Source(template) || !strings.HasPrefix(template.Name(), "jinja ")):
			t.Errorf("%s gives %s", name, template.Name())
		}
	}
}

// Tokens that a template names come from the tokenizer's files, as strings or as added tokens.
func TestSpecialTokens(t *testing.T) {
	got := specialTokens([]byte(`{"bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>", "add_bos_token": true, "pad_token": null, "image_token": "<img>"}`),
		[]byte(`{"eos_token": "other", "unk_token": "<unk>"}`), []byte(`no JSON`), nil)
	want := map[string]string{"bos_token": "<s>", "eos_token": "</s>", "image_token": "<img>", "unk_token": "<unk>"}
	if len(got) != len(want) {
		t.Errorf("%v, want %v", got, want)
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %q, want %q", k, got[k], v)
		}
	}
}

// Plain's Jinja gives Plain's text, learnt parts and all.
func TestPlainSource(t *testing.T) {
	tok := byteLevel(t)
	template, err := NewJinja("plain", Source(Plain), map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range [][]Message{talk, talk[:2], talk[1:5], say("hi", "yes"), say("a\n", "\nb ", "c", "")} {
		for _, generation := range []bool{false, true} {
			if generation && m[len(m)-1].Role == "assistant" {
				m = m[:len(m)-1]
			}
			var got [2]string
			for i, template := range []Template{Plain, template} {
				ids, labels, err := Encode(tok, template, m, EncodeOptions{Generation: generation})
				if err != nil {
					t.Fatal(err)
				}
				got[i] = seen(tok, ids, labels)
			}
			if got[0] != got[1] {
				t.Errorf("Plain gives\n%s, its Jinja\n%s", simple(got[0]), simple(got[1]))
			}
		}
	}
	if Source(ChatGLM3) != "" {
		t.Error("ChatGLM3 has a source")
	}
}

func TestChatGLM3(t *testing.T) {
	tok := byteLevel(t)
	ids, labels, err := Encode(tok, ChatGLM3, say("system:be", "hi<|user|>", "yes", "why", "no"), EncodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const want = "[gMASK]sop<|system|>⏎be<|user|>⏎hi<|user|><|assistant|>⏎‹yes<|user|>›⏎why<|assistant|>⏎‹no</s>›"
	if got := simple(seen(tok, ids, labels)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := len(specials(tok, ids)); got != 8 {
		t.Errorf("%d special tokens", got)
	}
	if got := Stops(tok, ChatGLM3, nil); !slices.Equal(got, []int32{301, 304, 307}) {
		t.Errorf("stops %v", got)
	}
	if _, _, err := Encode(testTokenizer(t), ChatGLM3, say("a", "b"), EncodeOptions{}); err == nil || !strings.Contains(err.Error(), "no token [gMASK]") {
		t.Errorf("error %v", err)
	}
	if _, _, err := Encode(tok, ChatGLM3, []Message{{Role: "critic"}}, EncodeOptions{}); err == nil || !strings.Contains(err.Error(), `"critic"`) {
		t.Errorf("error %v", err)
	}
}

func TestStops(t *testing.T) {
	tok := byteLevel(t)
	id := func(s string) int32 { id, _ := tok.ID(s); return id }
	for name, want := range map[string][]int32{"chatml": {301, 7, id("<|im_end|>")}, "inst": {301, 7}, "header": {301, 7, id("<|eot|>")}, "turns": {301, 7, id("<end_of_turn>")},
		"letters": {301, 7}, "generation with header": {301, 7, id("<|im_end|>")}} {
		if got := Stops(tok, shape(t, name), []int32{7, 301}); !slices.Equal(got, want) {
			t.Errorf("%s stops at %v, want %v", name, got, want)
		}
	}
	if got := Stops(tok, Plain, nil); !slices.Equal(got, []int32{301}) {
		t.Errorf("plain stops at %v", got)
	}
	letters, err := NewJinja("x", `{% for m in messages %}{{ m.role }}: {{ m.content }} [END]
{% endfor %}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := StopStrings(tok, letters); !slices.Equal(got, []string{"[END]"}) {
		t.Errorf("stop strings %q", got)
	}
	if got := StopStrings(tok, shape(t, "chatml")); got != nil {
		t.Errorf("stop strings %q", got)
	}
}

func TestConfigStops(t *testing.T) {
	for want, files := range map[string][2]string{
		"[2 7 8]": {`{"eos_token_id": 2}`, `{"eos_token_id": [7, 8]}`}, "[7]": {`{"eos_token_id": null}`, `{"eos_token_id": 7}`}, "[]": {`{}`, ""},
		"generation_config.json: eos_token_id is a string": {`{}`, `{"eos_token_id": "</s>"}`}, "config.json": {`{`, ``},
	} {
		dir := t.TempDir()
		for i, name := range []string{"config.json", "generation_config.json"} {
			if files[i] != "" {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(files[i]), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		got, err := ConfigStops(dir)
		if text := fmt.Sprint(got); err == nil && text != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v gives %s, %v; want %s", files, text, err, want)
		}
	}
}

func TestReport(t *testing.T) {
	tok := byteLevel(t)
	var r Report
	o := EncodeOptions{Report: &r}
	double, err := NewJinja("double", "{{ bos_token }}"+shapes["inst"], map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
	if err != nil {
		t.Fatal(err)
	}
	thought := say("a", "<think>\nx\n</think>\n\nb", "c", "<think>\ny\n</think>\n\nd")
	for _, c := range []struct {
		template Template
		messages []Message
		want     Report
	}{
		{Plain, talk, Report{Conversations: 1}},
		{shape(t, "chatml"), say("a", "b", "c", "d"), Report{Conversations: 1}},
		{shape(t, "open end"), say("a", "b", "c", "d"), Report{Conversations: 1, NoEnd: 1}},
		{shape(t, "letters"), say("a", "b", "c", "d"), Report{Conversations: 1, NoEnd: 2}},
		{shape(t, "thinking"), thought, Report{Conversations: 1, Rewritten: 1}},
		{shape(t, "moving system"), say("system:s", "a", "b", "c", "d"), Report{Conversations: 1, Rewritten: 1}},
		{double, say("a", "b"), Report{Conversations: 1, DoubleBegin: 1}},
		{ChatGLM3, say("a", "b", "c", "d"), Report{Conversations: 1}},
	} {
		before := r
		ids, _, err := Encode(tok, c.template, c.messages, o)
		if err != nil {
			t.Fatal(err)
		}
		want := before
		want.Add(c.want)
		if r != want {
			t.Errorf("%s of %v: report %+v, want %+v", c.template.Name(), c.messages, r, want)
		}
		if ids[0] == 300 && ids[1] == 300 {
			t.Errorf("two begin tokens")
		}
	}
	if lines := strings.Join(r.Lines(), "\n"); len(r.Lines()) != 3 || !strings.Contains(lines, "3 answers in 8 conversations are learnt without an end token") ||
		!strings.Contains(lines, "1 of 8 conversations would begin with two") || !strings.Contains(lines, "2 answers in 8 conversations are not learnt") {
		t.Errorf("lines\n%s", lines)
	}
	if (Report{Conversations: 9}).Lines() != nil {
		t.Error("lines where all is well")
	}
	// Only what would have been learnt is counted.
	r = Report{}
	if _, _, err := Encode(tok, shape(t, "thinking"), thought, EncodeOptions{MaskHistory: true, Report: &r}); err != nil || r.Rewritten != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestNotes(t *testing.T) {
	tok := byteLevel(t)
	if got := Notes(tok, shape(t, "inst")); got != nil {
		t.Errorf("%q", got)
	}
	tok.Pad = tok.EOS
	if got := Notes(tok, Plain); len(got) != 1 || !strings.Contains(got[0], "pad and end") {
		t.Errorf("%q", got)
	}
}

func TestNoteOfBegin(t *testing.T) {
	tok := testTokenizer(t) // it frames texts with <s>
	if got := Notes(tok, shape(t, "inst")); len(got) != 1 || !strings.Contains(got[0], "both the chat template and the tokenizer") {
		t.Errorf("%q", got)
	}
	if got := Notes(tok, Plain); got != nil {
		t.Errorf("%q", got)
	}
	ids, _, err := Encode(tok, shape(t, "inst"), say("a", "b"), EncodeOptions{})
	if err != nil || ids[0] != tok.BOS || ids[1] == tok.BOS {
		t.Errorf("%v, %v", ids, err)
	}
}

func TestMessageJSON(t *testing.T) {
	for raw, want := range map[string]string{
		`{"role": "user", "content": "a"}`:                             "",
		`{"role": "assistant", "tool_calls": [], "loss": false}`:       "",
		`{"role": "assistant", "content": null}`:                       "",
		`{"role": "user", "content": [{"type": "text", "text": "a"}]}`: "",
		`[]`:                             "a list",
		`null`:                           "null",
		`{"content": "a"}`:               "role is missing",
		`{"role": 1, "content": "a"}`:    "role is a number",
		`{"role": "user"}`:               "no content",
		`{"role": "user", "content": 1}`: "content is a number",
		`{"role": "user", "content": "a", "loss": "x"}`: "loss is a string",
	} {
		var m Message
		err := json.Unmarshal([]byte(raw), &m)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", raw, err, want)
		}
	}
	var m Message
	if err := json.Unmarshal([]byte(`{"role": "tool", "content": "4", "name": "add", "tool_call_id": "x1", "loss": null}`), &m); err != nil {
		t.Fatal(err)
	}
	if m.Role != "tool" || m.Content != "4" || m.Loss != nil || len(m.More) != 2 || string(m.More["name"]) != `"add"` {
		t.Errorf("%+v", m)
	}
}
