package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/golden"
	"hone/core/hub/hubtest"
	"hone/core/wire"
)

// Looking at a recipe asks no hub, though the branches of its model and of its rows have moved on; what is not here it does not download.
func TestLookingStaysHere(t *testing.T) {
	files := map[string][]byte{}
	at := golden.Own(t, "tiny_llama")
	entries, err := os.ReadDir(at)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(at, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	s := hubtest.New(t)
	for _, v := range s.Environ(t) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	rows := strings.Repeat("{\"input_ids\":[1,2,3],\"labels\":[1,2,3]}\n", 5)
	add := func(more string) {
		files["README.md"] = []byte(more)
		s.Add("models", "org/tiny", files)
		s.Add("datasets", "org/rows", map[string][]byte{"train.jsonl": []byte(rows + more)})
	}
	add("")
	h := open(t, t.TempDir())
	recipe := settings(map[string]any{"model": "org/tiny", "dataset": []string{"org/rows"}, "split_dataset_ratio": 0})
	ask[wire.Model](h, wire.Fetch{What: "model", Of: "org/tiny"})
	asked := len(s.Requests(""))
	for _, r := range []wire.Request{wire.Look{Recipe: recipe, Rows: 1}, wire.Forecast{Recipe: recipe}} {
		if why := refusal(h, r); why != "the data set org/rows is not here; download it first" {
			t.Errorf("%s: %s", r.Name(), why)
		}
	}
	if n := len(s.Requests("")); n != asked {
		t.Errorf("%d requests for rows that nobody asked for", n-asked)
	}
	ask[wire.DataFiles](h, wire.Fetch{What: "dataset", Of: "org/rows"})
	add(rows)
	asked = len(s.Requests(""))
	if p := ask[wire.Preview](h, wire.Look{Recipe: recipe, Rows: 1}); p.Rows.Read != 5 || len(p.Columns) != 2 {
		t.Errorf("%+v", p)
	}
	if f := ask[wire.Forecasted](h, wire.Forecast{Recipe: recipe}); f.Refusal != "" || f.Rows.Read != 5 {
		t.Errorf("%+v", f)
	}
	if n := len(s.Requests("")); n != asked {
		t.Errorf("%d requests to the hub were made to look at what is here", n-asked)
	}
}
