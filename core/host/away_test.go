package host

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"hone/core/wire"
)

// An event of a kind that this release does not know keeps nobody from hearing the next one.
func TestHeardBehindTheUnknown(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	const id = "tiny/v0-20260131-120000"
	if err := os.MkdirAll(filepath.Join(dir, runsDir, filepath.FromSlash(id)), 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := h.goAway(id, away{Server: "https://gpu.example", There: there})
	if err != nil {
		t.Fatal(err)
	}
	defer h.leave(f)
	for i, name := range []string{"queued", "of another release", "resumed"} {
		f.heard(wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: id, Seq: uint64(i + 1), Name: name, Data: json.RawMessage(`{}`)})
	}
	h.until("queued")
	h.until("resumed")
}
