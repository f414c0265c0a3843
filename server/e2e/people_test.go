//go:build !js

package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"hone/core/golden"
	"hone/web/words"
	"hone/web/worker/workertest"
)

// axe says what axe-core finds on the page that is serious or critical.
func (p *tab) axe(what string) {
	p.t.Helper()
	if !workertest.Eval[bool](p.Page, "Boolean(globalThis.axe)") {
		source, err := os.ReadFile(filepath.Join(golden.Root(p.t), "node_modules", "axe-core", "axe.min.js"))
		if err != nil {
			p.t.Fatalf("%v: make deps fetches axe-core", err)
		}
		workertest.Eval[bool](p.Page, string(source)+"\n;true")
	}
	found := workertest.Eval[json.RawMessage](p.Page, `axe.run(document, { resultTypes: ["violations"] }).then((r) => ({
		passes: r.passes.length,
		violations: r.violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => ({
			id: v.id, help: v.help, nodes: v.nodes.slice(0, 5).map((n) => n.html.slice(0, 200) + " — " + n.failureSummary.slice(0, 300)),
		})),
	}))`)
	var result struct {
		Passes     int
		Violations []struct {
			ID, Help string
			Nodes    []string
		}
	}
	if err := json.Unmarshal(found, &result); err != nil {
		p.t.Fatal(err)
	}
	if result.Passes < 10 {
		p.t.Errorf("%s: axe-core has looked at %d rules only", what, result.Passes)
	}
	for _, v := range result.Violations {
		p.t.Errorf("%s: %s: %s\n\t%s", what, v.ID, v.Help, strings.Join(v.Nodes, "\n\t"))
	}
}

// unfold opens all that can be unfolded.
func (p *tab) unfold() {
	p.t.Helper()
	workertest.Eval[bool](p.Page, `(document.querySelectorAll("details").forEach((d) => { d.open = true; }), true)`)
}

// chinese asks that the page says nothing in English, also of what it may say later. Letters stand in names and code only: a run of
// four words is none of these.
func (p *tab) chinese() {
	p.t.Helper()
	const all = `[document.body.innerText, document.getElementById("update").textContent, document.getElementById("skip").textContent, ...Object.values(document.getElementById("said").dataset)].join("\n")`
	if text := workertest.Eval[string](p.Page, `(`+all+`.match(/\b[a-z]{2,} [a-z]{2,} [a-z]{2,} [a-z]{2,}\b/g) || []).join("; ")`); text != "" {
		p.t.Errorf("the Chinese page says: %s", text)
	}
}

// The page in both languages: nothing of the one is left in the other, and nothing stands in the way of people who do not see
// it or use no mouse.
func TestEndToEndLanguages(t *testing.T) {
	address, _ := serving(t)
	browser := workertest.Start(t)
	for _, l := range words.Languages {
		p := open(t, browser, address+"/"+string(l)+"/")
		p.until(soon, "a title", "document.title")
		if got := workertest.Eval[string](p.Page, "document.documentElement.lang + ' ' + document.title"); got != string(l)+" "+words.Title.In(l) {
			t.Errorf("/%s/ is %s", l, got)
		}
		p.unfold()
		if l == "zh" {
			p.chinese()
		}
		for _, scheme := range []string{"light", "dark"} {
			p.scheme(scheme)
			p.axe(fmt.Sprintf("/%s/, %s", l, scheme))
		}
		p.Close()
	}

	// The other language is one press away, and what was set stays.
	p := open(t, browser, address+"/en/")
	defer p.Close()
	p.press("tuner-qlora")
	p.press("language")
	p.until(soon, "in Chinese", fmt.Sprintf("document.title === %q && document.documentElement.lang === 'zh' && location.pathname === '/zh/'", words.Title.In("zh")))
	if !workertest.Eval[bool](p.Page, `document.getElementById("tuner-qlora").checked`) {
		t.Error("changing the language forgets the recipe")
	}
	p.unfold()
	p.chinese()
}

// tabTo moves the focus with the tabulator key alone until it is on what has the id; what is folded away is unfolded on the way.
func (p *tab) tabTo(id string) {
	p.t.Helper()
	p.until(soon, "ready to take the focus: "+id, fmt.Sprintf(`(() => { const e = document.getElementById(%q); return e && !e.disabled; })()`, id))
	for {
		fold := workertest.Eval[string](p.Page, fmt.Sprintf(`(() => {
			let outer = "";
			for (let d = document.getElementById(%q)?.closest("details:not([open])"); d; d = d.parentElement.closest("details:not([open])")) outer = d.id;
			return outer;
		})()`, id))
		if fold == "" {
			break
		}
		p.tabUntil("the fold "+fold, fmt.Sprintf(`document.activeElement.matches("#%s > summary")`, fold))
		p.keys(kb.Enter)
		p.until(soon, "unfolded: "+fold, fmt.Sprintf(`document.getElementById(%q).open`, fold))
	}
	p.tabUntil(id, fmt.Sprintf(`document.activeElement.id === %q`, id))
	seen := workertest.Eval[string](p.Page, `(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle + " " + s.boxShadow; })()`)
	if seen == "none none" {
		p.t.Errorf("nobody sees that %s has the focus", id)
	}
}

func (p *tab) tabUntil(what, there string) {
	p.t.Helper()
	for range 300 {
		if workertest.Eval[bool](p.Page, there) {
			return
		}
		p.keys(kb.Tab)
	}
	p.t.Fatalf("the tabulator key does not lead to %s", what)
}

// From the first look to the adapter without a mouse.
func TestEndToEndKeyboardOnly(t *testing.T) {
	address, _ := serving(t)
	p := open(t, workertest.Start(t, noGPU...), address+"/en/")
	defer p.Close()
	p.tabTo("train-now")
	p.keys(kb.Enter)
	p.until(3*time.Minute, "training", stepped(3))
	p.tabTo("play")
	p.keys(" ")
	p.until(soon, "paused", `/Paused/.test(document.getElementById("state").textContent)`)
	if got := workertest.Eval[string](p.Page, "document.activeElement?.id"); got != "play" {
		t.Errorf("after pausing the focus is on %q", got)
	}
	before := workertest.Eval[string](p.Page, `document.getElementById("state").textContent`)
	p.tabTo("one-step")
	p.keys(kb.Enter)
	p.until(soon, "a step on", fmt.Sprintf(`document.getElementById("state").textContent !== %q && /Paused/.test(document.getElementById("state").textContent)`, before))
	p.axe("paused")
	p.unfold()
	p.axe("paused, unfolded")
	p.tabTo("stop")
	p.keys(kb.Enter)
	p.until(soon, "stopped", `document.getElementById("resume")`)
	p.tabTo("prompt")
	p.keys("What")
	p.tabTo("ask-both")
	p.keys(kb.Enter)
	p.until(soon, "an answer of both", `document.getElementById("answer-base")?.textContent.trim() && document.getElementById("answer-tuned")?.textContent.trim()`)
	p.axe("stopped, with an answer")
	p.tabTo("save-adapter")
	dir := p.downloads()
	p.keys(kb.Enter)
	downloaded(t, dir, ".zip")
}

// scheme makes the page believe in a light or a dark desktop.
func (p *tab) scheme(value string) {
	p.t.Helper()
	emulate(p, value)
	p.until(soon, value, fmt.Sprintf(`matchMedia("(prefers-color-scheme: %s)").matches`, value))
	p.until(soon, "at rest", `!document.querySelector(".busy") && document.getAnimations().every((a) => a.playState !== "running")`)
}

// noGPU are the flags of a browser without WebGPU.
var noGPU = []chromedp.ExecAllocatorOption{chromedp.Flag("disable-features", "WebGPU"), chromedp.Flag("enable-unsafe-webgpu", false), chromedp.Flag("use-webgpu-adapter", false)}
