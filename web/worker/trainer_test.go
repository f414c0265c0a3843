//go:build !js

package worker_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hone/core/golden"
	"hone/core/recipe"
	"hone/core/wire"
	"hone/web/worker/workertest"
)

func TestMain(m *testing.M) { workertest.Main(m) }

// patience is how long a few steps of a tiny model may take on a busy machine.
const patience = 2 * time.Minute

// goldenSite serves the trainer with the reference cases.
func goldenSite(t *testing.T) string {
	t.Helper()
	return workertest.Trainer(t, map[string]string{"golden/": filepath.Dir(golden.Own(t, "tiny_llama"))})
}

func TestTrainerGolden(t *testing.T) {
	p := workertest.Start(t).Open(goldenSite(t), "trainer.js")
	defer p.Close()
	p.PutFolder("models/tiny_llama", "tiny_llama")
	hello := workertest.Ask[wire.Host](p, wire.Hello{})
	if hello.Kind != "webgpu" || hello.Reason != "" || hello.Storage.Quota == 0 {
		t.Errorf("%+v", hello)
	}
	for _, name := range []string{"tiny_lora", "tiny_qlora"} {
		p.PutFolder("models/"+name+"_init", name+"/adapter_init")
		p.Put(map[string]string{"data/" + name + ".jsonl": "golden/" + name + "/dataset.jsonl"})
		for _, device := range []string{"webgpu", "cpu"} {
			t.Run(name+" "+device, func(t *testing.T) { goldenCase(t, p, name, device, name == "tiny_qlora" && device == "webgpu") })
		}
	}
}

// goldenRecipe is that of a reference case, for the files of the tab.
func goldenRecipe(t *testing.T, name, device string, more map[string]any) json.RawMessage {
	t.Helper()
	var c struct{ CLI []string }
	readJSON(t, golden.Own(t, name+"/case.json"), &c)
	r, err := recipe.Parse(c.CLI[1:])
	if err != nil {
		t.Fatal(err)
	}
	raw, err := r.ToJSON()
	all := map[string]any{}
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	all["model"], all["dataset"], all["adapter"], all["device"] = "models/tiny_llama", []string{"data/" + name + ".jsonl"}, "models/"+name+"_init", device
	for k, v := range more {
		all[k] = v
	}
	raw, err = json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// goldenCase runs a reference case in the tab. lose takes the device away in the middle: the run goes on, on another, as if nothing
// had been.
func goldenCase(t *testing.T, p *workertest.Page, name, device string, lose bool) {
	var c struct{ Tolerance map[string]float64 }
	readJSON(t, golden.Own(t, name+"/case.json"), &c)
	var want struct{ Steps []wire.Stepped }
	readJSON(t, golden.Own(t, name+"/expected.json"), &want)
	before := len(p.Events())
	run := workertest.Ask[wire.RunName](p, wire.Start{Recipe: goldenRecipe(t, name, device, nil)}).Run
	if lose {
		workertest.Ask[any](p, wire.Steer{Run: run, Do: "pause"})
		paused := p.Until("paused", before, patience)
		workertest.Eval[any](p, "send({type: 'lose'})")
		workertest.Ask[any](p, wire.Steer{Run: run, Do: "continue"})
		at := p.Until("warning", paused, patience)
		if text := string(p.Events()[at].Data); !strings.Contains(text, "lost") || !strings.Contains(text, "opened again") {
			t.Errorf("the loss of the device is told as %s", text)
		}
	}
	p.Until("finished", before, patience)
	steps := stepsOf(t, p.Events()[before:])
	if len(steps) != len(want.Steps) || len(steps) == 0 {
		t.Fatalf("%d steps of run %s, want %d", len(steps), run, len(want.Steps))
	}
	for i, w := range want.Steps {
		near := func(what string, got, want, rel float64) {
			if d := math.Abs(got - want); !(d <= rel*math.Abs(want)) {
				t.Errorf("step %d: %s is %.9g, PyTorch's is %.9g (allowed is a relative difference of %.2g)", w.Step, what, got, want, rel)
			}
		}
		near("loss", steps[i].Loss, w.Loss, c.Tolerance["loss_rel"])
		near("grad_norm", steps[i].GradNorm, w.GradNorm, c.Tolerance["grad_norm_rel"])
	}
	p.Check()
}

// stepsOf are the steps of events, by their number; one that was done again counts as it was the last time.
func stepsOf(t *testing.T, events []wire.Frame) []wire.Stepped {
	t.Helper()
	by := map[int]wire.Stepped{}
	for _, f := range events {
		e, err := wire.ParseEvent(f.Name, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := e.(wire.Stepped); ok {
			by[s.Step] = s
		}
	}
	var out []wire.Stepped
	for _, s := range by {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b wire.Stepped) int { return a.Step - b.Step })
	return out
}
