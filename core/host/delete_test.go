package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/wire"
)

// TestNoConfig stores files of models without a config.json, as when storing them was ended: they are listed, and can be deleted. Folders
// of models that are whole, and those of organisations, are not listed so.
func TestNoConfig(t *testing.T) {
	h := open(t, t.TempDir())
	for _, name := range []string{"broken/model.safetensors", "broken/more/x.bin", "org/half/tokenizer.json", "org/.whole/config.json", "whole/config.json", "whole/1_Pooling/x.json", "served/.model.safetensors" + partSuffix} {
		path := filepath.Join(h.dir, "models", filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte("12345"), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, m := range ask[wire.Host](h, wire.Hello{}).Halves {
		got = append(got, fmt.Sprint(m.Path, " ", m.Name, " ", m.Bytes))
	}
	if want := []string{"models/broken broken 10", "server:served served 5", "models/org/half org/half 5"}; !slices.Equal(got, want) {
		t.Errorf("listed are %q, want %q", got, want)
	}
	for _, path := range []string{"models/broken", "models/org/half", "server:served"} {
		ask[wire.Storage](h, wire.Delete{Path: path})
	}
	if left := ask[wire.Host](h, wire.Hello{}).Halves; len(left) != 0 {
		t.Errorf("left are %+v", left)
	}
}

// TestDeleteInUse deletes what a run that goes on needs, which is refused, and what it does not need; and then, when the run has stopped,
// its model: who asks the run something hears why it cannot answer.
func TestDeleteInUse(t *testing.T) {
	h := open(t, t.TempDir())
	id := ownRun(t, h)
	ask[any](h, wire.Steer{Run: id, Do: "pause"})
	if err := os.WriteFile(filepath.Join(h.dir, "data", "own"), []byte("another file"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"models/own", "data/own.json"} {
		if why := refusal(h, wire.Delete{Path: path}); !strings.Contains(why, "the run "+id+", which is going on, needs it") {
			t.Errorf("%s: %s", path, why)
		}
		if isMissing(filepath.Join(h.dir, filepath.FromSlash(path))) {
			t.Errorf("%s is deleted", path)
		}
	}
	ask[wire.Storage](h, wire.Delete{Path: "data/own"})
	ask[any](h, wire.Steer{Run: id, Do: "stop"})
	h.until("finished")
	waitIdle(h)
	ask[wire.Storage](h, wire.Delete{Path: "data/own.json"})
	ask[wire.Storage](h, wire.Delete{Path: "models/own"})
	why := refusal(h, wire.Answer{Run: id, Prompt: "x", Sides: "both", Tokens: 1})
	if !strings.Contains(why, "its base is not to be had any more") || strings.Contains(why, "--") {
		t.Error(why)
	}
}
