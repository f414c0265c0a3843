package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/golden"
	"hone/core/hub/hubtest"
	"hone/core/wire"
)

// Rows of a hub are listed by the name that a recipe has for them, are read, and go when they are deleted: a model of the same name stays.
func TestRowsOfAHub(t *testing.T) {
	s := hubtest.New(t)
	for _, v := range s.Environ(t) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	rows := strings.Repeat("{\"query\":\"who?\",\"response\":\"ada\"}\n", 5)
	s.Add("datasets", "org/both", map[string][]byte{"train.jsonl": []byte(rows), "more/other.jsonl": []byte(rows + rows), "README.md": []byte("rows")})
	s.Add("models", "org/both", map[string][]byte{"config.json": []byte("{}")})
	h := open(t, t.TempDir())
	refusal(h, wire.Fetch{What: "model", Of: "org/both"}) // of which something is here then
	hasModel := func() bool {
		list := ask[wire.Host](h, wire.Hello{})
		return slices.ContainsFunc(slices.Concat(list.Models, list.Halves), func(m wire.Model) bool { return m.Path == "org/both" })
	}
	if !hasModel() {
		t.Fatal("the model is not listed")
	}
	for _, c := range []struct {
		of   string
		rows int
	}{{"org/both:train.jsonl", 5}, {"org/both:more/other.jsonl", 10}} {
		got := ask[wire.DataFiles](h, wire.Fetch{What: "dataset", Of: c.of})
		if got.Of != c.of || len(got.Files) != 1 {
			t.Errorf("%s is %+v", c.of, got)
		}
		p := ask[wire.Preview](h, wire.Look{Recipe: settings(map[string]any{"dataset": []string{got.Of}, "split_dataset_ratio": 0})})
		if p.Rows.Read != c.rows {
			t.Errorf("%s has %d rows: %+v", c.of, p.Rows.Read, p.Refusal)
		}
	}
	listed := func() (list []wire.Data) {
		for _, d := range ask[wire.Host](h, wire.Hello{}).Data {
			if d.Hub {
				list = append(list, d)
			}
		}
		return list
	}
	if list := listed(); len(list) != 1 || list[0].Path != "org/both" || list[0].Bytes < int64(3*len(rows)) {
		t.Errorf("listed are %+v", list)
	}
	ask[wire.Storage](h, wire.Delete{Path: "dataset:org/both"})
	if list := listed(); len(list) != 0 {
		t.Errorf("left are %+v", list)
	}
	if !hasModel() {
		t.Error("the model of that name went, too")
	}
}

// An adapter that its user brings is listed as one, a run begins with it, and it can be deleted.
func TestOwnAdapter(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	at := filepath.Join(dir, "models", "mine")
	if err := os.CopyFS(at, os.DirFS(golden.Own(t, "tiny_lora/adapter_init"))); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "models", "base"), os.DirFS(golden.Own(t, "tiny_llama"))); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(golden.Own(t, "tiny_lora/dataset.jsonl"))
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "data"), 0o777)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "data", "ids.jsonl"), raw, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	hello := ask[wire.Host](h, wire.Hello{})
	if len(hello.Adapters) != 1 || hello.Adapters[0].Path != "models/mine" || hello.Adapters[0].Bytes == 0 || len(hello.Halves) != 0 {
		t.Fatalf("adapters %+v, halves %+v", hello.Adapters, hello.Halves)
	}
	id := ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"model": "models/base", "adapter": "models/mine", "dataset": []string{"data/ids.jsonl"}, "max_steps": 1})}).Run
	h.until("finished")
	if r := ask[wire.RunList](h, wire.Runs{Run: id}).Runs; len(r) != 1 || !strings.Contains(string(r[0].Recipe), `"adapter":"models/mine"`) {
		t.Errorf("%+v", r)
	}
	ask[wire.Storage](h, wire.Delete{Path: "models/mine"})
	if hello := ask[wire.Host](h, wire.Hello{}); len(hello.Adapters) != 0 {
		t.Errorf("left are %+v", hello.Adapters)
	}
}
