package bundle_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/bundle"
	"hone/core/bundle/world"
	"hone/core/nn"
	"hone/core/recipe"
	"hone/core/tokenizer"
)

// worldSeed is the one that `make base-model` makes the bundle with.
const worldSeed = 1

func read(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := fs.ReadFile(bundle.FS(), name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestBundledSetsAreTheWorlds(t *testing.T) {
	train, held := world.Questions(worldSeed, world.HeldOut)
	var names []string
	for _, set := range bundle.Sets {
		names = append(names, set.Name)
		var rows []map[string]string
		if err := json.Unmarshal(read(t, set.File), &rows); err != nil {
			t.Fatal(err)
		}
		if len(rows) != set.Rows {
			t.Errorf("%s has %d rows, bundle.Sets says %d", set.File, len(rows), set.Rows)
		}
		i := 0
		for _, q := range train {
			if q.Task != set.Name {
				continue
			}
			if i >= len(rows) {
				t.Fatalf("%s has %d rows, the world has more: run make base-model", set.File, len(rows))
			}
			if r := rows[i]; r["instruction"] != q.Instruction || r["input"] != q.Input || r["output"] != q.Output || r["task"]+r["topic"]+r["language"] != "" {
				t.Fatalf("row %d of %s is %v, the world's is %+v: run make base-model", i+1, set.File, r, q)
			}
			i++
		}
		if i != len(rows) {
			t.Errorf("%s has %d rows, the world %d: run make base-model", set.File, len(rows), i)
		}
		for _, l := range world.Languages {
			if set.Title[l] == "" || set.About[l] == "" {
				t.Errorf("the set %s has no title or no description in %s", set.Name, l)
			}
			if !slices.ContainsFunc(held, func(q world.Question) bool {
				return q.Task == set.Name && q.Language == l && q.Prompt() == set.Example[l]
			}) {
				t.Errorf("the example %q is not among the questions of %s that are held out", set.Example[l], set.Name)
			}
		}
	}
	if !slices.Equal(names, world.Tasks) {
		t.Errorf("the sets are %v, the tasks %v", names, world.Tasks)
	}
	got, err := bundle.HeldOut()
	if err != nil || !slices.Equal(got, held) {
		t.Errorf("the held-out questions are not the world's (%v): run make base-model", err)
	}
}

// Every word of the questions and answers is in the vocabulary, a step of the recipe takes at most 2,048 tokens, and no
// answer is longer than AnswerTokens.
func TestRowsAreShort(t *testing.T) {
	dir := t.TempDir()
	if err := bundle.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.LoadDir(filepath.Join(dir, "model"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(strings.Fields(bundle.TuningFlags))
	if err != nil {
		t.Fatal(err)
	}
	if n := r.MaxLength * r.PerDeviceTrainBatchSize * r.GradientAccumulationSteps; r.MaxLength < 1 || n > 2048 {
		t.Errorf("a step may take %d tokens; expected at most 2,048", n)
	}
	train, held := world.Questions(worldSeed, world.HeldOut)
	for _, q := range append(train, held...) {
		row := "### User\n" + q.Prompt() + "\n\n### Assistant\n" + q.Output
		ids := tok.EncodeText(row)
		if len(ids)+2 > r.MaxLength {
			t.Errorf("%q has %d tokens", row, len(ids)+2)
		}
		for _, id := range ids {
			if token, _ := tok.Token(id); strings.HasPrefix(token, "<") {
				t.Fatalf("%q has the token %s", row, token)
			}
		}
		if n := len(tok.EncodeText(q.Output)); n >= bundle.AnswerTokens {
			t.Errorf("the answer %q has %d tokens", q.Output, n)
		}
	}
}

func TestBundledModelIsSmall(t *testing.T) {
	raw := read(t, "model/config.json")
	m, err := nn.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	parameters := 0
	for _, p := range m.Params() {
		parameters += p.Shape.Elements()
	}
	if parameters != 1_105_280 {
		t.Errorf("the bundled model has %d parameters, README.md says 1,105,280", parameters)
	}
	if !bytes.Contains(raw, []byte(`"bfloat16"`)) {
		t.Error("the bundled model is not stored as bfloat16")
	}
	total := 0
	err = fs.WalkDir(bundle.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			total += len(read(t, path))
		}
		return err
	})
	if err != nil || total > 3<<20 {
		t.Errorf("the bundle has %d bytes, %v; expected at most 3 MiB", total, err)
	}
}

func TestWriteTo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := bundle.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	weights, rows := filepath.Join(dir, "model", "model.safetensors"), filepath.Join(dir, "world.json")
	before, err := os.Stat(weights)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.LoadDir(filepath.Join(dir, "model"))
	if err != nil || tok.EOS < 0 || tok.BOS < 0 {
		t.Fatalf("the tokenizer is %+v, %v", tok, err)
	}
	if err := os.WriteFile(rows, []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "mine.json")
	if err := os.WriteFile(mine, []byte("[]"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := bundle.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(weights); err != nil || !os.SameFile(before, after) || after.ModTime() != before.ModTime() {
		t.Errorf("the weights were written again although nothing had changed (%v)", err)
	}
	if raw, err := os.ReadFile(rows); err != nil || !bytes.Equal(raw, read(t, "world.json")) {
		t.Errorf("a broken file was not replaced (%v)", err)
	}
	if raw, err := os.ReadFile(mine); err != nil || string(raw) != "[]" {
		t.Errorf("a file of the user's is now %q, %v", raw, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 6 {
		t.Errorf("the directory holds %v, %v; expected model, three sets, heldout.json and mine.json", entries, err)
	}
}

func TestWriteToSaysWhatIsInTheWay(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "world.json"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := bundle.WriteTo(dir); err == nil || !strings.Contains(err.Error(), "world.json") {
		t.Errorf("a folder in the place of a file: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".bundle-*")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := bundle.WriteTo(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file in the place of the folder: %v", err)
	}
}
