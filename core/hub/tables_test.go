package hub

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hone/core/hub/hubtest"
)

// readTables has tables read for a test: each becomes a row with its content. It counts how often.
func readTables(t *testing.T) *int {
	n := new(int)
	Rows = func(_ context.Context, from, to string, progress func(done, total int64)) ([]string, error) {
		*n++
		raw, err := os.ReadFile(from)
		if err != nil {
			return nil, err
		}
		if string(raw) == "torn" {
			return nil, errors.New("rows.csv: row 2: it is torn")
		}
		progress(1, 2)
		return []string{"read as UTF-8"}, os.WriteFile(to, []byte(`{"text":"`+string(raw)+`"}`), 0o600)
	}
	t.Cleanup(func() { Rows = nil })
	return n
}

// Rows of tables come from hubs as those of JSONL do: of one format, of the training files, once.
func TestTablesOfHubs(t *testing.T) {
	taken := readTables(t)
	for _, c := range []struct {
		files []string
		name  string
		want  string
	}{
		{[]string{"README.md", "data/test-0.parquet", "data/train-1.parquet", "data/train-0.parquet"}, "org/rows", "train-0.parquet.jsonl train-1.parquet.jsonl"},
		{[]string{"rows.csv", "rows.parquet"}, "org/rows", "rows.parquet.jsonl"},
		{[]string{"rows.csv", "rows.parquet", "rows.json"}, "org/rows", "rows.json"},
		{[]string{"rows.csv", "rows.parquet", "rows.json"}, "org/rows:rows.csv", "rows.csv.jsonl"},
		{[]string{"a.TSV"}, "org/rows", "a.TSV.jsonl"},
		{[]string{"a/train.parquet", "b/train.parquet"}, "org/rows", "!say which"},
		{[]string{"a/train.parquet", "b/train.parquet"}, "org/rows:b", "train.parquet.jsonl"},
	} {
		for _, hub := range []string{HuggingFace, ModelScope} {
			w := newWorld(t)
			files := map[string][]byte{}
			for _, f := range c.files {
				files[f] = []byte(f)
			}
			w.Add("datasets", "org/rows", files)
			o, told := w.options(hub), 0
			o.Progress = func(p Progress) {
				if p.Done == 1 && p.Total == 2 {
					told++
				}
			}
			*taken = 0
			p, err := Dataset(t.Context(), c.name, o)
			if words, bad := strings.CutPrefix(c.want, "!"); bad {
				if err == nil || !strings.Contains(err.Error(), words) {
					t.Errorf("%s %v: %v", hub, c.files, err)
				}
				continue
			}
			var got []string
			for _, f := range p.Files {
				if _, err := os.Stat(f); err != nil {
					t.Error(err)
				}
				got = append(got, filepath.Base(f))
			}
			if err != nil || strings.Join(got, " ") != c.want || told != *taken {
				t.Errorf("%s %v: %v, %v; told %d times of %d tables", hub, c.files, got, err, told, *taken)
			}
			w.Server.Status = func(hubtest.Request) (int, string) { return 500, "" }
			*taken = 0
			if again, err := Dataset(t.Context(), p.Pinned(), w.options(hub)); err != nil || !slices.Equal(again.Files, p.Files) || *taken > 0 {
				t.Errorf("%s %v: %v, %v; taken %d times again", hub, c.files, again.Files, err, *taken)
			}
		}
	}
}

// The rows of a user's table are taken when it has changed, and go a month after their last use.
func TestTablesOnDisk(t *testing.T) {
	taken := readTables(t)
	w := newWorld(t)
	table := filepath.Join(t.TempDir(), "rows.csv")
	rows := func(want string, times int) string {
		t.Helper()
		p, err := Dataset(t.Context(), table, w.options(""))
		if err != nil || p.Name != table || len(p.Files) != 1 || *taken != times {
			t.Fatalf("%+v, %v; taken %d times, want %d", p, err, *taken, times)
		}
		if raw, err := os.ReadFile(p.Files[0]); err != nil || !strings.Contains(string(raw), want) || filepath.Base(p.Files[0]) != "rows.csv.jsonl" {
			t.Errorf("%s: %s, %v", p.Files[0], raw, err)
		}
		return p.Files[0]
	}
	put := func(content string) {
		t.Helper()
		if err := os.WriteFile(table, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("one")
	first := rows("one", 1)
	rows("one", 1)
	put("another")
	rows("another", 2)
	if p, err := Dataset(t.Context(), filepath.Dir(table), w.options("")); err != nil || len(p.Files) != 1 || *taken != 2 {
		t.Errorf("of the folder: %+v, %v", p, err)
	}
	old := time.Now().Add(-keptRows - time.Hour)
	if err := os.Chtimes(filepath.Dir(first), old, old); err != nil {
		t.Fatal(err)
	}
	put("a third one")
	rows("a third one", 3)
	if _, err := os.Stat(first); err == nil {
		t.Error("rows that nobody used for a month are still there")
	}
	put("torn")
	if _, err := Dataset(t.Context(), table, w.options("")); err == nil || !strings.Contains(err.Error(), "rows.csv: row 2: it is torn") || !strings.Contains(err.Error(), "dataset "+table) {
		t.Error(err)
	}
	if len(w.notices) == 0 || !strings.Contains(w.notices[0], "rows.csv: read as UTF-8") {
		t.Errorf("%q", w.notices)
	}
}
