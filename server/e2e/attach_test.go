//go:build soak && !js

package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"hone/core/wire"
	"hone/web/worker/workertest"
)

// told are the losses of a run by the page's journal of it, which begins with the first event and has none twice.
func (p *tab) told(run string) []wire.Stepped {
	p.t.Helper()
	var found []wire.Stepped
	seq := uint64(0)
	for lines := bufio.NewScanner(strings.NewReader(p.stored(path.Join("runs", run, "events.jsonl")))); lines.Scan(); {
		var f wire.Frame
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			p.t.Fatalf("the journal has the line %q: %v", lines.Text(), err)
		}
		if seq++; f.Seq != seq {
			p.t.Fatalf("event %d stands where event %d belongs", f.Seq, seq)
		}
		if f.Name != wire.Name(wire.Stepped{}) {
			continue
		}
		e, err := wire.ParseEvent(f.Name, f.Data)
		if err != nil {
			p.t.Fatal(err)
		}
		found = append(found, e.(wire.Stepped))
	}
	return found
}

// pausedAfter gives the step after which the page says that the run is paused.
func (p *tab) pausedAfter() (step int) {
	p.t.Helper()
	p.until(soon, "paused", `/^Paused after step \d+/.test(document.getElementById("state").textContent)`)
	if _, err := fmt.Sscanf(p.text("state"), "Paused after step %d", &step); err != nil {
		p.t.Fatalf("the page says %q: %v", p.text("state"), err)
	}
	return step
}

// A run that a page has begun at a server is watched from another machine, by its id: all its losses from the first step on are there,
// those that come are seen on both, and either can steer it.
func TestEndToEndAttach(t *testing.T) {
	address, _ := serving(t, "--data_dir", t.TempDir(), "--device", "cpu")
	p := open(t, workertest.Start(t, noGPU...), address+"/en/")
	defer p.Close()
	p.fill("set-per_device_train_batch_size", "4")
	p.fill("set-max_steps", "500")
	p.fill("set-val_dataset_sample", "4")
	p.press("place-look")
	p.press("place-start")
	p.until(2*time.Minute, "some steps at the server", stepped(3))
	p.press("play") // which is now to pause
	paused := p.pausedAfter()
	run := workertest.Eval[string](p.Page, `document.querySelector("#runs tr.chosen").id.replace("run-", "")`)

	other := open(t, workertest.Start(t, noGPU...), address+"/en/") // another browser, with nothing in it
	defer other.Close()
	other.press("place-look")
	other.press("attach-" + run)
	other.until(soon, "the steps before it came", stepped(paused))
	if step := other.pausedAfter(); step != paused {
		t.Errorf("the run is paused after step %d, and the page that came to it says %d", paused, step)
	}
	other.press("one-step")
	for _, x := range []*tab{p, other} {
		x.until(soon, "a step on", stepped(paused+1))
		x.until(soon, "paused again", fmt.Sprintf(`document.getElementById("state").textContent.startsWith("Paused after step %d ")`, paused+1))
	}
	other.press("stop")
	for _, x := range []*tab{p, other} {
		x.until(soon, "stopped", `document.getElementById("resume")`)
	}
	want, got := p.told(run), other.told(run)
	if len(want) != paused+1 || len(got) != len(want) {
		t.Fatalf("%d losses here and %d there, want %d of both", len(want), len(got), paused+1)
	}
	for i := range want {
		if got[i] != want[i] || got[i].Step != i+1 {
			t.Errorf("step %d: %+v, and for who came to it %+v", i+1, want[i], got[i])
		}
	}
	same(t, got, native(t, p.stored(path.Join("runs", run, "args.json")), 3), 1e-6) // on the same CPU
	p.noFailure()
	other.noFailure()
}
