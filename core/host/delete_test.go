package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/wire"
)

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
