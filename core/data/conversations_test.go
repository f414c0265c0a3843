package data

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hone/core/chat"
)

// A row is asked up to its last answer, and may leave that out.
func TestQuestions(t *testing.T) {
	for rows, want := range map[string]Question{
		`{"query":"q","response":"r"}`:                 {Messages: []chat.Message{{Role: "user", Content: "q"}}, Reference: "r"},
		`{"query":"q"}`:                                {Messages: []chat.Message{{Role: "user", Content: "q"}}},
		`{"instruction":"i","input":"x"}`:              {Messages: []chat.Message{{Role: "user", Content: "i\n\nx"}}},
		`{"question":"q","id":3}`:                      {Messages: []chat.Message{{Role: "user", Content: "q"}}},
		`{"messages":[{"role":"user","content":"q"}]}`: {Messages: []chat.Message{{Role: "user", Content: "q"}}},
		`{"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"r"}]}`: {Messages: []chat.Message{{Role: "user", Content: "q"}}, Reference: "r"},
	} {
		path := filepath.Join(t.TempDir(), "rows.jsonl")
		if err := os.WriteFile(path, []byte(rows+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		want.Row = 1
		var got []Question
		if err := Questions(path, nil, func(q Question) error { got = append(got, q); return nil }); err != nil {
			t.Errorf("%s: %v", rows, err)
		} else if d := cmp.Diff([]Question{want}, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", rows, d)
		}
	}
	for rows, want := range map[string]string{
		`{"text":"t"}`:        "asks nothing",
		`{"input_ids":[1,2]}`: "asks nothing",
		`{"strange":"t"}`:     "columns",
		`{"messages":[{"role":"assistant","content":"r"}]}`: "no question",
	} {
		path := filepath.Join(t.TempDir(), "rows.jsonl")
		if err := os.WriteFile(path, []byte(`{"query":"q"}`+"\n"+rows+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		err := Questions(path, nil, func(Question) error { return nil })
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "row 2") {
			t.Errorf("%s: error %v, want one with %q and the row", rows, err, want)
		}
	}
}
