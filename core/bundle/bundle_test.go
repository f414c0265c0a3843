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
	train, held := world.Questions(worldSeed)
	var rows []map[string]string
	if err := json.Unmarshal(read(t, "instructions.json"), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(train) {
		t.Fatalf("%d instructions, the world has %d: run make base-model", len(rows), len(train))
	}
	for i, q := range train {
		if r := rows[i]; r["instruction"] != q.Instruction || r["input"] != q.Input || r["output"] != q.Output || r["task"] != "" {
			t.Fatalf("instruction %d is %v, the world's is %+v: run make base-model", i+1, r, q)
		}
	}
	got, err := bundle.HeldOut()
	if err != nil || !slices.Equal(got, held) {
		t.Errorf("the held-out questions are not the world's (%v): run make base-model", err)
	}
}

func TestBundledModelIsSmall(t *testing.T) {
	m, err := nn.Parse(read(t, "model/config.json"))
	if err != nil {
		t.Fatal(err)
	}
	parameters := 0
	for _, p := range m.Params() {
		parameters += p.Shape.Elements()
	}
	if parameters > 200_000 || parameters < 100_000 {
		t.Errorf("the bundled model has %d parameters", parameters)
	}
	total := 0
	err = fs.WalkDir(bundle.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			total += len(read(t, path))
		}
		return err
	})
	if err != nil || total > 1<<20 {
		t.Errorf("the bundle has %d bytes, %v; expected at most 1 MiB", total, err)
	}
}

func TestWriteTo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := bundle.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	weights, rows := filepath.Join(dir, "model", "model.safetensors"), filepath.Join(dir, "instructions.json")
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
	if raw, err := os.ReadFile(rows); err != nil || !bytes.Equal(raw, read(t, "instructions.json")) {
		t.Errorf("a broken file was not replaced (%v)", err)
	}
	if raw, err := os.ReadFile(mine); err != nil || string(raw) != "[]" {
		t.Errorf("a file of the user's is now %q, %v", raw, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Errorf("the directory holds %v, %v; expected model, instructions.json, heldout.json and mine.json", entries, err)
	}
}

func TestWriteToSaysWhatIsInTheWay(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "instructions.json"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := bundle.WriteTo(dir); err == nil || !strings.Contains(err.Error(), "instructions.json") {
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
