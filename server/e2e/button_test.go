//go:build !js

package e2e_test

import (
	"fmt"
	"strings"
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
	return fmt.Sprintf(`[...document.querySelectorAll("#table-of-steps tbody tr")].filter((row) => row.cells[1].textContent).length >= %d`, n)
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

// The one button trains on WebGPU, and every loss is that of the same recipe on the CPU of this machine; though the page is
// reloaded in the middle of it, and the graphics process dies. It is pressed as soon as the page lets it be, which is long before the
// trainer is there.
func TestEndToEndButtonWebGPU(t *testing.T) {
	address, _ := serving(t)
	p := &tab{workertest.Start(t).Visit(address + "/en/"), t}
	defer p.Close()
	p.press("train-now")
	p.until(soon, "a word that it was heard", `document.getElementById("toast").textContent.includes("on its way")`)
	if workertest.Eval[bool](p.Page, "honeMarks.ready !== undefined") {
		t.Error("the trainer was there before the button could be pressed")
	}
	p.ready()
	p.on("WebGPU")
	p.until(5*time.Minute, "some steps", stepped(3))
	p.press("save-now")
	p.until(soon, "a State in the page's storage", savedState)
	if err := chromedp.Do(p.Context(), chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
	p.ready()
	p.until(5*time.Minute, "steps behind those before the reload", stepped(6))
	if _, err := chromedp.CallBrowser(p.Context(), browser.CrashGPUProcess, struct{}{}); err != nil {
		t.Fatal(err)
	}
	p.until(5*time.Minute, "steps behind those before the loss", stepped(buttonSteps))
	p.until(soon, "a word about the loss", `/lost/.test(document.getElementById("train").textContent)`)
	p.press("stop")
	p.until(soon, "stopped", `document.getElementById("resume")`)
	_, logged, args := p.newest()
	same(t, logged, native(t, args, len(logged)), 2e-4)
	if runs := p.runs(); len(runs) != 1 {
		t.Errorf("the run went on in another directory: %v", runs)
	}
	p.noFailure()
}

// on waits until the page says what it computes on.
func (p *tab) on(kind string) {
	p.t.Helper()
	p.until(soon, "on "+kind, fmt.Sprintf(`document.getElementById("where").textContent.includes(%q)`, kind))
}

// savedState says that there is a checkpoint.
const savedState = `(async () => {
	const walk = async (d) => {
		for await (const h of d.values()) if (h.kind === "directory" && (/^checkpoint-\d+$/.test(h.name) || await walk(h))) return true;
		return false;
	};
	return walk(await navigator.storage.getDirectory());
})()`

// Without WebGPU the page says why and what to do, and the button trains on the CPU in WebAssembly to the same losses. What was
// learnt says the same in `hone compare` as on the page.
func TestEndToEndButtonCPU(t *testing.T) {
	address, _ := serving(t)
	p := open(t, workertest.Start(t, noGPU...), address+"/en/")
	defer p.Close()
	p.on("processor only")
	if why := p.text("why-cpu"); !strings.Contains(why, "WebGPU") || !strings.Contains(why, "chrome://") {
		t.Errorf("why there is no graphics card, and what to do: %q", why)
	}
	p.press("train-now")
	p.until(3*time.Minute, "the first steps", stepped(buttonSteps))
	p.press("stop")
	p.until(soon, "stopped", `document.getElementById("resume")`)
	_, logged, args := p.newest()
	same(t, logged, native(t, args, buttonSteps), 2e-4)
	p.elsewhere()
	p.noFailure()
}
