package wire

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseFrame(t *testing.T) {
	f := Frame{V: Version, Kind: KindEvent, Run: "m/v0-20260101-000000", Seq: 7, Name: "saved", Data: json.RawMessage(`{"step":3}`)}
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseFrame(raw)
	if err != nil || got.Seq != 7 || got.Name != "saved" || string(got.Data) != `{"step":3}` {
		t.Errorf("%+v, %v", got, err)
	}
	for raw, want := range map[string]string{
		`{"v":2,"kind":"event"}`: "version 2",
		`{"v":1,"kind":"shout"}`: "kind",
		`[`:                      "not JSON",
		`"` + strings.Repeat("x", MaxFrame) + `"`: "at most",
	} {
		if _, err := ParseFrame([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30s: %v, want %q", raw, err, want)
		}
	}
}

func TestParseRequest(t *testing.T) {
	all := []Request{Hello{}, Inspect{Model: "m"}, Fetch{What: "model", Of: "a/b"}, Look{Recipe: json.RawMessage(`{}`), Rows: 2},
		Forecast{Recipe: json.RawMessage(`{}`)}, Start{Recipe: json.RawMessage(`{"seed":1}`)}, Resume{Run: "r"}, Steer{Run: "r", Do: "pause"},
		Answer{Prompt: "p", Sides: "both"}, Runs{}, Replay{Run: "r", Seq: 2}, Note{Run: "r", Text: "t"}, Export{Run: "r", What: "adapter"}, Delete{Path: "p"}}
	for _, r := range all {
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseRequest(r.Name(), raw)
		if err != nil {
			t.Errorf("%s: %v", r.Name(), err)
			continue
		}
		if again, _ := json.Marshal(got); string(again) != string(raw) {
			t.Errorf("%s: %s came back as %s", r.Name(), raw, again)
		}
	}
	if _, err := ParseRequest("shout", nil); err == nil {
		t.Error("a request that there is not was read")
	}
	if _, err := ParseRequest("steer", json.RawMessage(`{"run":3}`)); err == nil || !strings.Contains(err.Error(), "steer") {
		t.Errorf("a number for a run: %v", err)
	}
}

func FuzzParseFrame(f *testing.F) {
	f.Add([]byte(`{"v":1,"kind":"request","id":1,"name":"start","data":{"recipe":{}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if f, err := ParseFrame(raw); err == nil {
			_, _ = ParseRequest(f.Name, f.Data)
		}
	})
}
