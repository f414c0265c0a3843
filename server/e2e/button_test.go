//go:build !js

package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"hone/core/wire"
	"hone/web/worker/workertest"
)

// buttonSteps is how many steps of the button's recipe `make test` looks at.
const buttonSteps = 10

// stepped says that the run shown on the page has logged so many steps.
func stepped(n int) string {
	return fmt.Sprintf(`document.querySelectorAll("#table-of-steps table:first-of-type tbody tr").length >= %d`, n)
}

// newest is the log of the page's newest run, with its recipe.
func (p *tab) newest() (dir string, logged []wire.Stepped, args string) {
	p.t.Helper()
	runs := p.runs()
	if len(runs) == 0 {
		p.t.Fatalf("the page has stored no run; it has %v", p.storedFiles())
	}
	dir = runs[len(runs)-1]
	return dir, steps(p.t, p.stored(dir+"/logging.jsonl")), p.stored(dir + "/args.json")
}

// The one button trains on WebGPU and on the CPU in WebAssembly, and every loss is that of the same recipe on the CPU of
// this machine.
func TestEndToEndButton(t *testing.T) {
	address, _ := serving(t)
	for _, c := range []struct {
		name, kind string
		flags      []chromedp.ExecAllocatorOption
		tolerance  float64
	}{
		{"WebGPU", "WebGPU", nil, 2e-4},
		{"WASM CPU", "processor only", noGPU, 2e-4},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := open(t, workertest.Start(t, c.flags...), address+"/en/")
			defer p.Close()
			p.until(soon, "on "+c.kind, fmt.Sprintf(`document.getElementById("where").textContent.includes(%q)`, c.kind))
			p.press("train-now")
			p.until(3*time.Minute, "the first steps", stepped(buttonSteps))
			p.press("stop")
			p.until(soon, "stopped", `document.getElementById("resume")`)
			_, logged, args := p.newest()
			same(t, logged, native(t, args, buttonSteps), c.tolerance)
			p.noFailure()
		})
	}
}

// A page that is reloaded in the middle of a run goes on with the next step, and what it computes is what an undisturbed run
// computes.
func TestEndToEndReloadResumes(t *testing.T) {
	address, _ := serving(t)
	p := open(t, workertest.Start(t), address+"/en/")
	defer p.Close()
	p.press("train-now")
	p.until(3*time.Minute, "some steps", stepped(4))
	p.press("save-now")
	p.until(soon, "a State in the page's storage", savedState)
	before := p.storedFiles()
	if err := chromedp.Do(p.Context(), chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
	p.ready()
	p.press("resume")
	_, at, args := p.newest()
	p.until(3*time.Minute, "steps behind those that were there", stepped(len(at)+4))
	p.press("stop")
	p.until(soon, "stopped again", `document.getElementById("resume")`)
	dir, logged, _ := p.newest()
	same(t, logged, native(t, args, len(logged)), 2e-4)
	if runs := p.runs(); len(runs) != 1 {
		t.Errorf("the run went on in another directory: %v; before there was %v, now %s", runs, before, dir)
	}
}

// savedState says that there is a checkpoint.
const savedState = `(async () => {
	const walk = async (d) => {
		for await (const h of d.values()) if (h.kind === "directory" && (/^checkpoint-\d+$/.test(h.name) || await walk(h))) return true;
		return false;
	};
	return walk(await navigator.storage.getDirectory());
})()`

// When the graphics process dies, the run goes on from its last State on a new device, and the page says so.
func TestEndToEndDeviceLost(t *testing.T) {
	address, _ := serving(t)
	p := open(t, workertest.Start(t), address+"/en/")
	defer p.Close()
	p.press("train-now")
	p.until(3*time.Minute, "some steps", stepped(4))
	p.press("save-now")
	p.until(soon, "a State in the page's storage", savedState)
	if _, err := chromedp.CallBrowser(p.Context(), browser.CrashGPUProcess, struct{}{}); err != nil {
		t.Fatal(err)
	}
	_, at, args := p.newest()
	p.until(3*time.Minute, "steps behind those before the loss", stepped(len(at)+5))
	p.until(soon, "a word about the loss", `/lost/.test(document.getElementById("train").textContent)`)
	p.press("stop")
	p.until(soon, "stopped", `document.getElementById("resume")`)
	_, logged, _ := p.newest()
	same(t, logged, native(t, args, len(logged)), 2e-4)
}
