package host

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/recipe"
	"hone/core/wire"
)

// TestRecordedNames asks that the recipe of a run that is over has the names of models and rows that the lists have, also where it came
// from a run directory with paths, and that paths of another machine stay.
func TestRecordedNames(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	id := ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"max_steps": 1, "dataset": []string{"bundle/" + rows() + "#40"}})}).Run
	h.until("finished")
	waitIdle(h)
	args, err := os.ReadFile(filepath.Join(dir, "runs", filepath.FromSlash(id), "args.json"))
	if err != nil || !strings.Contains(string(args), filepath.ToSlash(dir)) {
		t.Fatalf("args.json has no path of the workspace, which this test is about: %v, %s", err, args)
	}
	check := func(where string, raw []byte) {
		t.Helper()
		r, err := recipe.FromJSON(raw)
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		if r.Model != "bundle/model" || !slices.Equal(r.Dataset, []string{"bundle/" + rows() + "#40"}) || !r.Given("max_steps") || r.Given("seed") != true || r.Given("lora_rank") {
			t.Errorf("%s has %s on %q, explicit max_steps %v", where, r.Model, r.Dataset, r.Given("max_steps"))
		}
	}
	run := ask[wire.RunList](h, wire.Runs{}).Runs[0]
	check("the list", run.Recipe)
	if run.Model != "bundle/model" {
		t.Errorf("the list says that the run is of %s", run.Model)
	}
	f := ask[wire.File](h, wire.Export{Run: id, What: "recipe"})
	raw, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
	if err != nil {
		t.Fatal(err)
	}
	check("the export", raw)
	if f := ask[wire.Forecasted](h, wire.Forecast{Recipe: run.Recipe}); f.Refusal != "" || f.Plan.Steps != 1 {
		t.Errorf("a forecast of it: %+v", f)
	}

	raw, err = json.Marshal(map[string]any{"model": filepath.Join(dir, "models", "own"), "adapter": filepath.Join(dir, "runs", "a", "b"), "dataset": []string{filepath.Join(dir, "data", "x.jsonl#5"), "org/set"}, "val_dataset": []string{"/elsewhere/held.json"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.FromJSON(h.recorded(raw))
	if got := fmt.Sprint(r.Model, r.Adapter, r.Dataset, r.ValDataset); err != nil || got != fmt.Sprint("models/own", "runs/a/b", []string{"data/x.jsonl#5", "org/set"}, []string{"/elsewhere/held.json"}) {
		t.Error(got, err)
	}
	if broken := []byte(`{"of another release":1}`); string(h.recorded(broken)) != string(broken) {
		t.Error("a recipe that cannot be read is changed")
	}
}
