package worker

import (
	"os"
	"path/filepath"
	"syscall/js"
	"testing"
)

// TestVacant finds a place for files that a page hands over: no file that is there gives way to another one.
func TestVacant(t *testing.T) {
	d := dir(t)
	vacant := func(path string, files map[string]string) string {
		t.Helper()
		blobs := js.Global().Get("Map").New()
		for name, text := range files {
			blobs.Call("set", name, js.Global().Get("Blob").New([]any{text}))
		}
		found := make(chan string, 1)
		good := js.FuncOf(func(_ js.Value, args []js.Value) any { found <- args[0].Get("at").String(); return nil })
		bad := js.FuncOf(func(_ js.Value, args []js.Value) any { found <- args[0].Get("message").String(); return nil })
		defer good.Release()
		defer bad.Release()
		js.Global().Get("fs").Call("vacant", filepath.Join(d, path), blobs).Call("then", good, bad)
		at, err := filepath.Rel(d, <-found)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	put(t, filepath.Join(d, "rows.jsonl"), "old")
	put(t, filepath.Join(d, "rows-2.jsonl"), "older")
	put(t, filepath.Join(d, "t.csv.jsonl"), "old")
	for _, dir := range []string{"base-1.5B", "half", "deep/tokenizer", "stored"} {
		mkdir(t, filepath.Join(d, dir))
	}
	put(t, filepath.Join(d, "base-1.5B", "config.json"), "{}")
	put(t, filepath.Join(d, "base-1.5B", "model.safetensors"), "whole")
	put(t, filepath.Join(d, "half", "model-1.safetensors"), "1")
	put(t, filepath.Join(d, "deep", "tokenizer", "vocab"), "a")
	put(t, filepath.Join(d, "stored", ".put-config.json"), "{")
	one := func(text string) map[string]string { return map[string]string{"": text} }
	for _, c := range []struct {
		path  string
		files map[string]string
		want  string
	}{
		{"data/new.jsonl", one("x"), "data/new.jsonl"},
		{"rows.jsonl", one("old"), "rows.jsonl"},
		{"rows.jsonl", one("new"), "rows-3.jsonl"},
		{"t.csv.jsonl", one("new"), "t-2.csv.jsonl"},
		{"half", one("x"), "half-2"},
		// Shards do not come beside the weights of another model, nor other weights in their place.
		{"base-1.5B", map[string]string{"config.json": "{}", "model-1.safetensors": "1", "model-2.safetensors": "2"}, "base-1.5B-2"},
		{"base-1.5B", map[string]string{"config.json": "{}", "model.safetensors": "WHOLE"}, "base-1.5B-2"},
		{"base-1.5B", map[string]string{"config.json": "{}", "model.safetensors": "whole"}, "base-1.5B"},
		{"half", map[string]string{"config.json": "{}", "model-1.safetensors": "1", "model-2.safetensors": "2"}, "half"}, // it was cut off, and is dropped again
		{"deep", map[string]string{"config.json": "{}", "tokenizer/vocab": "a"}, "deep"},
		{"deep", map[string]string{"config.json": "{}", "tokenizer/vocab": "b"}, "deep-2"},
		{"stored", map[string]string{"config.json": "{}"}, "stored-2"},
	} {
		if got := vacant(c.path, c.files); got != c.want {
			t.Errorf("%s for %v is %s, want %s", c.path, c.files, got, c.want)
		}
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o777); err != nil {
		t.Fatal(err)
	}
}
