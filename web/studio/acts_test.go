package studio

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"hone/core/wire"
)

// answer sets what the host says to a request from now on.
func (b *tab) answer(name string, f func(wire.Request) (any, error)) {
	b.host.mu.Lock()
	defer b.host.mu.Unlock()
	b.host.reply[name] = f
}

// asked waits for a request that is as it should be.
func asked[R wire.Request](b *tab, what string, ok func(R) bool) {
	b.t.Helper()
	b.until(what, func() bool { r, found := last[R](b.host); return found && ok(r) })
}

func datasetOf(t *testing.T, recipe json.RawMessage) (files []string, columns string) {
	t.Helper()
	var r struct {
		Dataset []string
		Columns string
	}
	if err := json.Unmarshal(recipe, &r); err != nil {
		t.Fatal(err)
	}
	return r.Dataset, r.Columns
}

// A model is fetched by its name, and taken when it is there; one that is not says why.
func TestFetchModel(t *testing.T) {
	b := open(t, "en")
	b.answer("fetch", func(r wire.Request) (any, error) {
		if f := r.(wire.Fetch); f.Of == "nobody/nothing" {
			return nil, errors.New("neither Hugging Face nor ModelScope knows nobody/nothing")
		}
		return wire.Model{Path: "models/own", Name: "own"}, nil
	})
	b.do("fetch_model", "of", "nobody/nothing", "hub", "auto")
	b.sees("model", "knows nobody/nothing")
	b.do("fetch_model", "of", "someone/own", "hub", "hf")
	asked(b, "the download", func(f wire.Fetch) bool { return f.What == "model" && f.Of == "someone/own" && f.Hub == "hf" })
	asked(b, "a look at the model", func(i wire.Inspect) bool { return i.Model == "models/own" })
	b.lacks("model", "knows nobody/nothing")
	b.sees("method", "--model models/own")
}

// Models of the page's server stand among the others, and an address there means one of them.
func TestServersModels(t *testing.T) {
	b := open(t, "en")
	b.answer("offered", func(wire.Request) (any, error) {
		return wire.Offers{Models: []wire.Model{{Path: "server:class/own", Name: "class/own", Bytes: 5e6}}}, nil
	})
	b.Open(t.Context(), Opening{Language: "en", URL: "http://localhost/class/en/", Models: true})
	b.sees("model", `data-v-of="server:class/own"`)
	b.answer("fetch", func(wire.Request) (any, error) { return wire.Model{Path: "models/own", Name: "own"}, nil })
	for _, of := range []string{"server:class/own", "http://localhost/class/models/class/own/"} {
		b.host.mu.Lock()
		b.host.asked = nil
		b.host.mu.Unlock()
		b.do("fetch_model", "of", of)
		asked(b, "the download", func(f wire.Fetch) bool { return f.Of == "server:class/own" && f.Hub == "" })
	}
}

// Files that the page has stored become the rows, or the model; how far a table is, and what is wrong with it, is shown.
func TestStoredFiles(t *testing.T) {
	b := open(t, "en")
	b.sees("data", "7 rows")
	b.do("more_rows")
	asked(b, "more rows", func(l wire.Look) bool { return l.Rows > rowsShown })
	b.do("put_progress", "kind", "data", "file", "big.parquet", "rows", "5000")
	b.sees("data", "Reading big.parquet: 5000 rows so far")
	b.do("put_failed", "kind", "data", "error", "big.parquet: the footer is torn")
	b.sees("data", "the footer is torn")
	b.lacks("data", "rows so far")
	b.do("put_done", "kind", "data", "base", "data/", "path", "data/a.csv.jsonl", "path", "data/b.jsonl", "note", "a.csv: read as GB 18030")
	b.sees("data", "GB 18030")
	b.lacks("data", "the footer is torn")
	asked(b, "a look at both", func(l wire.Look) bool {
		files, _ := datasetOf(t, l.Recipe)
		return strings.Join(files, " ") == "data/a.csv.jsonl data/b.jsonl"
	})
	b.do("put_done", "kind", "models", "base", "models/own/", "path", "models/own/config.json")
	asked(b, "a look at the model", func(i wire.Inspect) bool { return i.Model == "models/own" })
}

// Rows that were typed in are kept as a file.
func TestPaste(t *testing.T) {
	b := open(t, "en")
	var path, content string
	b.o.Store = func(p string, c []byte) error {
		path, content = p, string(c)
		return nil
	}
	b.do("paste", "rows", "  ")
	b.do("paste", "rows", "{\"query\": \"a\", \"response\": \"b\"}\n")
	asked(b, "a look at them", func(l wire.Look) bool {
		files, _ := datasetOf(t, l.Recipe)
		return len(files) == 1 && strings.HasPrefix(files[0], "data/pasted-") && files[0] == path
	})
	if content != "{\"query\": \"a\", \"response\": \"b\"}\n" {
		t.Errorf("kept is %q", content)
	}
	b.o.Store = nil
	b.do("paste", "rows", "{}")
	b.sees("data", "cannot be pasted here")
}

// Rows that cannot be read as they are say so, with the columns that can be given other names; these are forgotten with the file.
func TestRefusedRows(t *testing.T) {
	b := open(t, "en")
	b.sees("data", "7 rows")
	b.answer("look", func(r wire.Request) (any, error) {
		files, columns := datasetOf(t, r.(wire.Look).Recipe)
		if strings.Contains(strings.Join(files, " "), "mine") && (!strings.Contains(columns, "frage") || !strings.Contains(columns, `"titel":""`)) {
			return wire.Preview{Refusal: "mine.jsonl, row 1: no column is understood", Columns: []string{"titel", "frage", "antwort"}}, nil
		}
		return wire.Preview{Rows: wire.Rows{Read: 3}, Columns: []string{"titel", "frage", "antwort"}}, nil
	})
	b.do("set", "val_dataset_sample", "64")
	b.do("put_done", "kind", "data", "base", "data/", "path", "data/mine.jsonl")
	b.sees("data", "no column is understood")
	b.sees("data", "not to be read like this")
	b.sees("data", `<option value="frage"`)
	asked(b, "a share held out instead of the rows of the first recipe", func(l wire.Look) bool {
		return strings.Contains(string(l.Recipe), `"split_dataset_ratio":0.1`) && !strings.Contains(string(l.Recipe), "val_dataset_sample")
	})
	b.do("columns", "query", "frage", "response", "antwort")
	b.sees("data", "3 rows")
	b.lacks("data", "no column is understood")
	b.do("set", "split_dataset_ratio", "0.25")
	asked(b, "the rows, split anew", func(l wire.Look) bool { return strings.Contains(string(l.Recipe), "0.25") })
	b.do("put_done", "kind", "data", "base", "data/", "path", "data/other.jsonl")
	asked(b, "rows without the names", func(l wire.Look) bool { _, columns := datasetOf(t, l.Recipe); return columns == "" })
}
