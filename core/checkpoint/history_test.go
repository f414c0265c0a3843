package checkpoint

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"testing"
)

// A short log is told whole. Of a long one lines are left out, evenly, and the same ones when the log was read again in between.
func TestHistory(t *testing.T) {
	run := Run{t.TempDir()}
	h := &History{}
	type line struct {
		Step int      `json:"step"`
		Loss *float64 `json:"loss,omitempty"`
		Eval *float64 `json:"eval_loss,omitempty"`
	}
	loss := 0.5
	log, err := os.Create(run.LogPath()) // AppendLog opens it for every line
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	add := func(l line) {
		raw, err := json.Marshal(l)
		if err == nil {
			_, err = fmt.Fprintf(log, "%s\n", raw)
		}
		if err != nil {
			t.Fatal(err)
		}
		h.Add(raw)
	}
	const steps = 50_000
	for step := 1; step <= steps; step++ {
		add(line{Step: step, Loss: &loss})
		if step == mostPoints && len(h.Lines()) != mostPoints {
			t.Errorf("of the first %d lines %d are told", mostPoints, len(h.Lines()))
		}
		if step%1000 == 0 {
			add(line{Step: step, Eval: &loss})
		}
		if step == 12_345 {
			if h, err = run.ReadHistory(); err != nil {
				t.Fatal(err)
			}
		}
	}
	again, err := run.ReadHistory()
	if err != nil || !reflect.DeepEqual(again.Lines(), h.Lines()) {
		t.Errorf("the log tells %d lines when it is read, and %d as it grew (%v)", len(again.Lines()), len(h.Lines()), err)
	}
	last, evaluations, lines := 0, 0, h.Lines()
	for _, raw := range lines {
		var l line
		if err := json.Unmarshal(raw, &l); err != nil {
			t.Fatal(err)
		}
		if l.Eval != nil {
			evaluations++
			continue
		}
		if l.Step <= last || last > 0 && l.Step-last != 64 {
			t.Fatalf("step %d is told after step %d", l.Step, last)
		}
		last = l.Step
	}
	if len(lines) > mostPoints+evaluations || last <= steps-64 || evaluations != steps/1000 {
		t.Errorf("%d lines to step %d, %d of them evaluations", len(lines), last, evaluations)
	}
	if err := run.AppendLog(line{Step: steps + 1, Eval: &loss}, h); err != nil || len(h.Lines()) != len(lines)+1 {
		t.Errorf("a line that is appended is not told: %d, %v", len(h.Lines()), err)
	}
}
