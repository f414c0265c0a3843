package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// modelWithTokenizer is a random model of size rows in its embedding beside a tokenizer of 1904 ids and one added token behind them.
func modelWithTokenizer(t *testing.T, rows string) string {
	t.Helper()
	tokenizer, err := filepath.Abs(filepath.Join("..", "..", "core", "bundle", "default", "model", "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	model := smallModelDir(t, `"model_type":"llama",`+strings.Replace(smallModel, `"vocab_size":96`, `"vocab_size":`+rows, 1))
	raw, err := os.ReadFile(tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	list := `"added_tokens": [`
	if !strings.Contains(string(raw), list) {
		t.Fatal("tokenizer.json is not written as this test expects")
	}
	image := `{"id":1904,"content":"<image>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},`
	writeFile(t, model, "tokenizer.json", strings.Replace(string(raw), list, list+image, 1))
	return model
}

// Gemma 3's text models have a tokenizer whose last added token has no row in the embedding, and others have a padding
// token like that. They train; a row that comes to use the token is refused, and so is a tokenizer whose own vocabulary
// does not fit.
func TestAddedTokenBeyondVocabulary(t *testing.T) {
	for _, c := range []struct {
		name, rows, template string
		want                 []string // nil: it trains
	}{
		{name: "unused", rows: "1904"},
		{name: "written by the template", rows: "1904", template: `{% for m in messages %}<image>{{ m.content }}{% endfor %}`, want: []string{"row 1", "1904", "1903"}},
		{name: "another model's", rows: "1864", want: []string{"1903", "vocab_size", "1864", "two models"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			model := modelWithTokenizer(t, c.rows)
			if c.template != "" {
				writeFile(t, model, "chat_template.jinja", c.template)
			}
			dir := t.TempDir()
			writeFile(t, dir, "rows.jsonl", `{"query":"Once upon","response":"a time, <image> there was"}`+"\n")
			out, status := hone(t, dir, "sft", "--model", model, "--dataset", "rows.jsonl", "--max_steps", "1", "--device", "cpu")
			if (status == 0) != (c.want == nil) {
				t.Fatalf("exit status %d:\n%s", status, out)
			}
			for _, w := range c.want {
				if !strings.Contains(out, w) {
					t.Errorf("the message lacks %q:\n%s", w, out)
				}
			}
		})
	}
}
