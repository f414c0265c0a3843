package host

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hone/core/wire"
)

// Rows of an address replace none of the same name, and a download that breaks off goes on behind what has come, if the server can say of
// what it is the beginning; otherwise, and when its user ends it, nothing of it stays.
func TestRowsOfAnAddress(t *testing.T) {
	var rows, tag atomic.Value
	var cut atomic.Bool
	var ranges atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := rows.Load().(string)
		if t, _ := tag.Load().(string); t != "" {
			w.Header().Set("ETag", t)
		}
		if r.Header.Get("Range") != "" {
			ranges.Add(1)
		}
		if cut.Load() {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.Write([]byte(body[:len(body)/2]))
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
	}))
	defer server.Close()
	dir := t.TempDir()
	h := open(t, dir)
	fetch := func(want, text string) {
		t.Helper()
		rows.Store(text)
		got := ask[wire.DataFiles](h, wire.Fetch{What: "dataset", Of: server.URL + "/rows.jsonl"})
		raw, err := os.ReadFile(filepath.Join(dir, want))
		if len(got.Files) != 1 || got.Files[0].Path != want || string(raw) != text {
			t.Errorf("%+v has %q (%v), want %s with %q", got, raw, err, want, text)
		}
	}
	left := func() (names []string) {
		entries, _ := os.ReadDir(filepath.Join(dir, fetchedDir))
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	fetch("data/rows.jsonl", "first\n")
	fetch("data/rows-2.jsonl", "other\n")
	fetch("data/rows.jsonl", "first\n")
	broken := func(promise string) {
		t.Helper()
		cut.Store(true)
		if why := refusal(h, wire.Fetch{What: "dataset", Of: server.URL + "/rows.jsonl"}); !strings.Contains(why, promise) {
			t.Errorf("broken off, it says %s", why)
		}
		cut.Store(false)
	}
	rows.Store("longer than those before\n")
	broken("try again")
	if names := left(); len(names) > 0 {
		t.Errorf("left of what cannot go on: %q", names)
	}
	tag.Store(`"1"`)
	broken("goes on behind")
	fetch("data/rows-3.jsonl", "longer than those before\n")
	if n := ranges.Load(); n != 1 {
		t.Errorf("the rest was asked for %d times", n)
	}
	broken("goes on behind")
	ended, end := context.WithCancel(t.Context())
	end()
	h.Ask(ended, "fetch", wire.Fetch{What: "dataset", Of: server.URL + "/rows.jsonl"}, nil)
	if names := left(); len(names) > 0 {
		t.Errorf("left of what was ended: %q", names)
	}
	broken("goes on behind")
	h.sweep()
	kept := left()
	for _, name := range kept {
		if err := os.Chtimes(filepath.Join(dir, fetchedDir, name), time.Time{}, time.Now().Add(-2*restKept)); err != nil {
			t.Fatal(err)
		}
	}
	if h.sweep(); len(kept) != 2 || len(left()) > 0 {
		t.Errorf("%q after a while %q", kept, left())
	}
}
