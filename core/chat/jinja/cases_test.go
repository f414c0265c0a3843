package jinja_test

import (
	"encoding/json"
	"os"
	"testing"
)

// testdata/cases.json has pairs of a template and what Jinja 3.1.6 renders for it, set up as transformers does; null where Jinja fails.
// The templates are ours: each construct, at its edges.
func TestCases(t *testing.T) {
	raw, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Data  json.RawMessage
		Cases [][2]*string
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 600 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for _, c := range file.Cases {
		source, want := *c[0], c[1]
		got, err := render(source, string(file.Data))
		switch {
		case want == nil && err == nil:
			t.Errorf("%q renders %q; Jinja refuses it", source, got.S)
		case want != nil && err != nil:
			t.Errorf("%q: %v, want %q", source, err, *want)
		case want != nil && got.S != *want:
			t.Errorf("%q renders\n%q, want\n%q", source, got.S, *want)
		}
	}
}
