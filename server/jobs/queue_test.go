package jobs

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"hone/core/move"
	"hone/core/wire"
)

// A run is found under the id that it is listed with, whatever its model is called.
func TestLabels(t *testing.T) {
	s := openShop(t, time.Second)
	for _, model := range []string{strings.Repeat("模型", 40), "x" + strings.Repeat("模型", 40), strings.Repeat("é", 99), "...", `a\b:c*`, "../..", strings.Repeat("x", 300)} {
		raw, err := json.Marshal(map[string]any{"model": "a/b", "model_type": model, "dataset": []string{"a/b"}, "max_steps": 1})
		if err != nil {
			t.Fatal(err)
		}
		id, err := s.Submit(t.Context(), "ada", wire.Start{Recipe: raw})
		if err != nil {
			t.Fatalf("%q: %v", model, err)
		}
		list, err := s.list(t.Context(), "ada")
		if err != nil || len(list) != 1 || list[0].ID != id || !move.IsID(id) {
			t.Fatalf("%q: the run %q is listed as %+v (%v)", model, id, list, err)
		}
		if err := s.Want(t.Context(), "ada", id, "stop"); err != nil {
			t.Errorf("%q: %v", model, err)
		}
		if _, err := s.update(t.Context(), "ada", id, func(r *Record) error { r.Status = Stopped; return nil }); err != nil {
			t.Errorf("%q: %v", model, err)
		}
		if err := s.Delete(t.Context(), "ada", id); err != nil {
			t.Errorf("%q: %v", model, err)
		}
	}
}
