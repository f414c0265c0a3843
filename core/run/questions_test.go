package run

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/recipe"
)

// The questions of a recipe are those of its rows, as many of each file, whatever their format and columns; texts have none, and those that
// are too long to be asked often are passed over.
func TestQuestions(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.jsonl": `{"instruction":"Glad or sad?","input":"A sunny day.","output":"glad"}` + "\n" + `{"instruction":"` + strings.Repeat("long ", 300) + `","output":"x"}` + "\n" + `{"instruction":"Who?","output":"I"}` + "\n" + `{"instruction":"Three?","output":"3"}`,
		"b.jsonl": `{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"B?"},{"role":"assistant","content":"b"}]}`,
		"c.jsonl": `{"ask":"C?","say":"c"}`,
		"t.txt":   "Once upon a time",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		files string
		more  []string
		want  []string
	}{
		{"a.jsonl", nil, []string{"Glad or sad?\n\nA sunny day.", "Who?", "Three?"}},
		{"a.jsonl,t.txt,b.jsonl#7", nil, []string{"Glad or sad?\n\nA sunny day.", "B?"}},
		{"a.jsonl", []string{"--val_dataset", filepath.Join(dir, "b.jsonl")}, []string{"B?"}},
		{"c.jsonl", []string{"--columns", `{"ask":"query","say":"response"}`}, []string{"C?"}},
	} {
		var files []string
		for _, f := range strings.Split(c.files, ",") {
			files = append(files, filepath.Join(dir, f))
		}
		r, err := recipe.Parse(append([]string{"--model", "m", "--dataset", strings.Join(files, ",")}, c.more...))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Questions(t.Context(), r, 3, nil); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v; want %q", c.files, got, err, c.want)
		}
	}
}
