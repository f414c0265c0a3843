package studio

import (
	"encoding/json"
	"strings"
	"testing"

	"hone/core/wire"
)

// TestAskFull asks a run that trains all weights: while it goes on, it alone can answer, and there is no empty box for the base; when it
// is over both answer.
func TestAskFull(t *testing.T) {
	b := waiting(t)
	const id = "tiny/v0-20260101-000000"
	b.host.reply["hello"] = func(wire.Request) (any, error) {
		return wire.Host{Kind: "cpu", Models: []wire.Model{{Path: "models/tiny", Name: "tiny", Parameters: 1000}},
			Runs: []wire.Run{{ID: id, Step: 2, Steps: 10, Recipe: json.RawMessage(`{"model":"models/tiny","dataset":["data/world.json"],"train_type":"full"}`)}}, Going: id}, nil
	}
	b.host.reply["answer"] = func(r wire.Request) (any, error) {
		a := wire.Answers{Tuned: &wire.Answered{Text: "a tuned answer"}}
		if r.(wire.Answer).Sides == "both" {
			a.Base = &wire.Answered{Text: "a base answer"}
		}
		return a, nil
	}
	b.begin("http://localhost/en/")
	b.sees("bar", "step 2 of 10")
	b.Told(event(id, 3, wire.Stepped{Step: 3, Loss: 1}))
	b.sees("bar", "step 3 of 10")
	b.do("ask", "prompt", "who?")
	b.sees("try", "a tuned answer")
	b.mu.Lock()
	if strings.Contains(b.parts["try"], "answer-of-base") {
		t.Error("there is a box for the base, which cannot answer")
	}
	b.mu.Unlock()
	b.Told(event(id, 4, wire.Finished{Step: 10}))
	b.sees("bar", "Finished after")
	b.do("ask", "prompt", "who?")
	b.sees("try", "a base answer")
}
