package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"hone/core/nn"
)

func TestFilesFollowFromTheSeed(t *testing.T) {
	a, b := t.TempDir(), filepath.Join(t.TempDir(), "new")
	for _, dir := range []string{a, b} {
		if err := write(dir, 1, 7000); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"corpus.jsonl", "config.json", "instructions.json", "heldout.json"} {
		one, err := os.ReadFile(filepath.Join(a, name))
		if err != nil {
			t.Fatal(err)
		}
		two, err := os.ReadFile(filepath.Join(b, name))
		if err != nil || !bytes.Equal(one, two) {
			t.Errorf("%s differs from one run to the next (%v)", name, err)
		}
		if name == "corpus.jsonl" && (len(one) < 1<<20 || len(one) > 5<<19 || bytes.Count(one, []byte("\n")) != 7000) {
			t.Errorf("the corpus has %d bytes in %d rows", len(one), bytes.Count(one, []byte("\n")))
		}
		if name == "instructions.json" && bytes.Contains(one, []byte(`"task"`)) {
			t.Error("the instructions have a column that tuning does not know")
		}
	}
}

func TestConfigIsSmall(t *testing.T) {
	var members map[string]any
	if err := json.Unmarshal([]byte(config), &members); err != nil {
		t.Fatal(err)
	}
	members["vocab_size"] = 640
	raw, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	m, err := nn.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range m.Params() {
		n += p.Shape.Elements()
	}
	if n != 188_992 {
		t.Errorf("the model has %d parameters, the comment says 188,992 and the limit is 200,000", n)
	}
}
