package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"hone/core/bundle/world"
	"hone/core/nn"
)

func TestFilesFollowFromTheSeed(t *testing.T) {
	const stories = 3000
	a, b := t.TempDir(), filepath.Join(t.TempDir(), "new")
	for _, dir := range []string{a, b} {
		if err := write(dir, 1, stories, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"corpus.jsonl", "config.json", "world.json", "sentiment.json", "doctor.json", "heldout.json", "tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json"} {
		one, err := os.ReadFile(filepath.Join(a, name))
		if err != nil {
			t.Fatal(err)
		}
		two, err := os.ReadFile(filepath.Join(b, name))
		if err != nil || !bytes.Equal(one, two) {
			t.Errorf("%s differs from one run to the next (%v)", name, err)
		}
		if name == "corpus.jsonl" && bytes.Count(one, []byte("\n")) != stories {
			t.Errorf("the corpus has %d rows", bytes.Count(one, []byte("\n")))
		}
		if strings.Contains("world.json sentiment.json doctor.json", name) && bytes.Contains(one, []byte(`"task"`)) {
			t.Errorf("%s has a column that tuning does not know", name)
		}
	}
}

// A Chinese character is never a part of a longer token, so that what follows half a phrase can be asked.
func TestCharactersStandAlone(t *testing.T) {
	trained, err := vocabulary(world.Stories(1, 3000))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, token := range trained.Vocab {
		han := 0
		for _, r := range token {
			if unicode.Is(unicode.Han, r) {
				han++
			}
		}
		n += han
		if han > 1 || han == 1 && utf8.RuneCountInString(token) > 1 {
			t.Errorf("the token %q has a Chinese character in it", token)
		}
	}
	if n < 400 {
		t.Errorf("%d Chinese characters", n)
	}
}

func TestConfigIsSmall(t *testing.T) {
	var members map[string]any
	if err := json.Unmarshal([]byte(config), &members); err != nil {
		t.Fatal(err)
	}
	members["vocab_size"] = vocabSize
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
	if n < 900_000 || n > 1_150_000 {
		t.Errorf("the model has %d parameters; expected about a million", n)
	}
}
