package jobs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hone/core/wire"
)

// A worker keeps what it has fetched up to a bound: what was used longest ago goes first, and nothing that the run under way needs.
func TestWorkerKeeps(t *testing.T) {
	s := openShop(t, time.Minute)
	id := s.start(t, tinyRecipe(t, t.TempDir(), 5), nil)
	h := s.begins(t, id)
	h.w.Keep = 100
	blobs := map[string]wire.Blob{}
	for _, name := range []string{"a", "b", "c", "d"} {
		content := []byte(strings.Repeat(name, 40))
		sum := sha256.Sum256(content)
		blobs[name] = wire.Blob{Path: name, Size: 40, SHA256: hex.EncodeToString(sum[:])}
		if _, whole, err := s.files.Put(t.Context(), "ada", blobs[name].SHA256, 40, 0, bytes.NewReader(content)); err != nil || !whole {
			t.Fatal(whole, err)
		}
	}
	fetch := func(names ...string) {
		t.Helper()
		h.record.Places = nil
		for _, name := range names {
			h.record.Places = append(h.record.Places, wire.Place{Name: name, Files: []wire.Blob{blobs[name]}})
		}
		os.RemoveAll(h.dir)
		places, err := h.fetchPlaces(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for name, path := range places {
			if raw, err := os.ReadFile(path); err != nil || string(raw) != strings.Repeat(name, 40) {
				t.Errorf("%s is %q, %v", name, raw, err)
			}
		}
		time.Sleep(20 * time.Millisecond) // file systems count time in steps
	}
	keeps := func(want ...string) {
		t.Helper()
		var got []string
		for name, blob := range blobs {
			if _, err := os.Stat(filepath.Join(h.w.Dir, "files", blob.SHA256)); err == nil {
				got = append(got, name)
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%q are kept, want %q", got, want)
		}
	}
	fetch("a")
	fetch("b")
	keeps("a", "b")
	fetch("a")
	fetch("c")
	keeps("a", "c")
	fetch("b", "c", "d") // more than the bound, and all of it is needed
	keeps("b", "c", "d")
	if err := h.w.makeRoom(nil); err != nil {
		t.Fatal(err)
	}
	keeps("c", "d")
}

// A run whose files are larger than what its worker keeps is done, and nothing of them stays.
func TestWorkerKeepsNothing(t *testing.T) {
	s := openShop(t, time.Minute)
	w := &Worker{Every: time.Hour, Keep: 1}
	s.hireAs(t, w)
	if r := s.ends(t, s.start(t, tinyRecipe(t, "output", 2), nil)); r.Status != Done {
		t.Errorf("%+v", r)
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		left, err := os.ReadDir(filepath.Join(w.Dir, "files"))
		if err == nil && len(left) == 0 {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%d files stay, %v", len(left), err)
		}
	}
}
