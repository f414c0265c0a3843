package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
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

// What a server says to show that it is there is no reply, which a link waits for first, and no event; and a welcome without a promise to
// say it promises nothing.
func TestAlive(t *testing.T) {
	raw, err := json.Marshal(Frame{V: Version, Kind: KindPart, Name: Alive{}.Name()})
	if err != nil {
		t.Fatal(err)
	}
	if f, err := ParseFrame(raw); err != nil || f.Kind != KindPart || f.ID != 0 || f.Run != "" {
		t.Errorf("%+v, %v", f, err)
	}
	var w Welcome
	if err := json.Unmarshal([]byte(`{"user":"ada","scope":"run","version":"1"}`), &w); err != nil || w.Alive != 0 {
		t.Errorf("%+v, %v", w, err)
	}
}

func TestParseRequest(t *testing.T) {
	all := []Request{Hello{}, Inspect{Model: "m"}, Fetch{What: "model", Of: "a/b"}, Look{Recipe: json.RawMessage(`{}`), Rows: 2},
		Forecast{Recipe: json.RawMessage(`{}`)}, Start{Recipe: json.RawMessage(`{"seed":1}`)}, Resume{Run: "r"}, Steer{Run: "r", Do: "pause"}, Steer{Run: "r", Do: "step", Key: "k"},
		Answer{Prompt: "p", Sides: "both"}, Runs{}, Replay{Run: "r", Seq: 2}, Note{Run: "r", Text: "t"}, Export{Run: "r", What: "adapter"}, Delete{Path: "p"}, Carry{Run: "r"},
		Start{Recipe: json.RawMessage(`{}`), Places: []Place{{Name: "m", Folder: true, Files: []Blob{{"a", 1, "x"}}}}, From: &Carried{Run: "r", Step: 2}, Priority: 1, Key: "k", Paused: true, On: &Server{URL: "u"}},
		Survey{On: Server{"u", "t"}, Run: "r"}, Move{Run: "r", On: Server{"u", "t"}, Away: true}, Attach{On: Server{"u", "t"}, Run: "r"}, Agree{On: Server{"u", "t"}, Agreed: true}}
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

func TestParseEvent(t *testing.T) {
	for _, e := range []Event{Downloading{Name: "n", Done: 1}, Loading{File: "f"}, Started{Model: "m", TotalSteps: 3}, Stepped{Step: 1, Loss: 0.5}, Progress{Step: 2, Elapsed: Seconds(1500 * time.Millisecond)},
		Evaluated{Step: 3, EvalLoss: 1}, Saved{Step: 4}, Warning{Text: "w"}, Paused{Step: 5}, Resumed{Step: 6}, RateChanged{Step: 7, LearningRate: 1e-4},
		Finished{Step: 8, Elapsed: Seconds(time.Hour + 1)}, Queued{Step: 9, Reason: "r"}, Failed{Step: 10, Reason: "r"}} {
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseEvent(Name(e), raw)
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%s came back as %+v, %v", raw, got, err)
		}
	}
	if _, err := ParseEvent("shout", nil); err == nil {
		t.Error("an event that there is not was read")
	}
	if _, err := ParseEvent("finished", json.RawMessage(`{"elapsed":"x"}`)); err == nil {
		t.Error("a word for a number of seconds was read")
	}
}

func FuzzParseFrame(f *testing.F) {
	f.Add([]byte(`{"v":1,"kind":"request","id":1,"name":"start","data":{"recipe":{}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if f, err := ParseFrame(raw); err == nil {
			_, _ = ParseRequest(f.Name, f.Data)
			_, _ = ParseEvent(f.Name, f.Data)
		}
	})
}
