//go:build !js

package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hone/core/wire"
	"hone/web/worker/workertest"
)

// tab is a browser's tab with the page. Errors on its console, violations of the policy among them, fail the test.
type tab struct {
	*workertest.Page
	t testing.TB
}

// soon is what the page may take for something small on a machine that has more to do.
const soon = time.Minute

// open opens the page and waits until its worker has answered.
func open(t testing.TB, b *workertest.Browser, address string) *tab {
	t.Helper()
	p := &tab{b.Visit(address), t}
	p.ready()
	return p
}

// ready waits until the page can be used.
func (p *tab) ready() {
	p.t.Helper()
	if !p.Wait(`globalThis.honeMarks && honeMarks.drawn !== undefined || document.querySelector("#failure:not([hidden])")`, 2*time.Minute) {
		p.t.Fatalf("the page does not become ready; it shows\n%s", p.shown())
	}
	p.noFailure()
}

// noFailure fails the test when the worker has given up.
func (p *tab) noFailure() {
	p.t.Helper()
	if text := workertest.Eval[string](p.Page, `document.querySelector("#failure:not([hidden])")?.textContent || ""`); text != "" {
		p.t.Fatalf("the page says: %s", text)
	}
}

// shown is the text of the page, for messages of tests.
func (p *tab) shown() string { return workertest.Eval[string](p.Page, "document.body.innerText") }

// until waits until a JavaScript expression, or its promise, is true.
func (p *tab) until(limit time.Duration, what, expression string) {
	p.t.Helper()
	begun := time.Now()
	if !p.Wait(expression, limit) {
		p.t.Fatalf("after %v: not yet %s; the page shows\n%s", limit, what, p.shown())
	}
	if took := time.Since(begun); took > time.Second { // what a test is slow with
		p.t.Logf("%5.1f s until %s", took.Seconds(), what)
	}
}

// finished waits until the run is over, and fails the test where it has not come to its end.
func (p *tab) finished(limit time.Duration) {
	p.t.Helper()
	p.until(limit, "over", `document.getElementById("play")?.dataset.act === "start"`)
	if workertest.Eval[bool](p.Page, `Boolean(document.querySelector("#resume, #bar .error"))`) {
		p.t.Fatalf("the run did not come to its end; the page shows\n%s", p.shown())
	}
}

// press clicks on what has the id, as soon as it can be clicked on.
func (p *tab) press(id string) {
	p.t.Helper()
	p.until(soon, "ready to be pressed: "+id, fmt.Sprintf(`(() => { const e = document.getElementById(%q); return e && !e.disabled; })()`, id))
	workertest.Eval[bool](p.Page, fmt.Sprintf(`(document.getElementById(%q).click(), true)`, id))
}

// fill writes into a field and leaves it, as a user does.
func (p *tab) fill(id, value string) {
	p.t.Helper()
	p.until(soon, "there: "+id, fmt.Sprintf(`document.getElementById(%q)`, id))
	workertest.Eval[bool](p.Page, fmt.Sprintf(`(() => { const e = document.getElementById(%q); e.value = %q; e.dispatchEvent(new Event("change", { bubbles: true })); return true; })()`, id, value))
}

// text is what an element shows; nothing where there is none.
func (p *tab) text(id string) string {
	p.t.Helper()
	return workertest.Eval[string](p.Page, fmt.Sprintf(`document.getElementById(%q)?.textContent.trim() || ""`, id))
}

// upload gives files to an input of the page.
func (p *tab) upload(id string, paths ...string) {
	p.t.Helper()
	if err := chromedp.Do(p.Context(), chromedp.SetUploadFiles(chromedp.CSS("#"+id), paths)); err != nil {
		p.t.Fatalf("%s does not take files: %v", id, err)
	}
}

// keys presses keys, one after the other.
func (p *tab) keys(keys string) {
	p.t.Helper()
	if err := chromedp.Do(p.Context(), chromedp.KeyEvent(keys)); err != nil {
		p.t.Fatal(err)
	}
}

// stored is a file that the page has in its own storage; nothing where there is none.
func (p *tab) stored(path string) string {
	p.t.Helper()
	return workertest.Eval[string](p.Page, fmt.Sprintf(`(async () => {
		try {
			let d = await navigator.storage.getDirectory();
			const parts = %q.split("/"), name = parts.pop();
			for (const p of parts) d = await d.getDirectoryHandle(p);
			return await (await (await d.getFileHandle(name)).getFile()).text();
		} catch (e) {
			if (e.name === "NotFoundError") return "";
			throw e;
		}
	})()`, path))
}

// storedFiles are the paths of all files of the page's storage.
func (p *tab) storedFiles() []string {
	p.t.Helper()
	return workertest.Eval[[]string](p.Page, `(async () => {
		const found = [];
		const walk = async (d, at) => {
			for await (const h of d.values()) h.kind === "file" ? found.push(at + h.name) : await walk(h, at + h.name + "/");
		};
		await walk(await navigator.storage.getDirectory(), "");
		return found.sort();
	})()`)
}

// runs are the directories of runs in the page's storage, the oldest first.
func (p *tab) runs() []string {
	p.t.Helper()
	var found []string
	for _, path := range p.storedFiles() {
		if dir, ok := strings.CutSuffix(path, "/logging.jsonl"); ok {
			found = append(found, dir)
		}
	}
	return found
}

// steps reads the logged steps of a run.
func steps(t testing.TB, log string) []wire.Stepped {
	t.Helper()
	var found []wire.Stepped
	for lines := bufio.NewScanner(strings.NewReader(log)); lines.Scan(); {
		var line struct {
			wire.Stepped
			EvalLoss *float64 `json:"eval_loss"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("the log has the line %q: %v", lines.Text(), err)
		}
		if line.EvalLoss == nil && line.Loss != 0 {
			found = append(found, line.Stepped)
		}
	}
	return found
}
