//go:build !js

package e2e_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/parquet-go/parquet-go"

	"hone/core/bundle"
	"hone/core/hub/hubtest"
	"hone/web/worker/workertest"
)

func emulate(p *tab, scheme string) {
	p.t.Helper()
	_, err := chromedp.Call(p.Context(), emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	if err != nil {
		p.t.Fatal(err)
	}
}

// downloads lets the browser put what the page gives to its user into a folder.
func (p *tab) downloads() string {
	p.t.Helper()
	dir := p.t.TempDir()
	if _, err := chromedp.CallBrowser(p.Context(), browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir}); err != nil {
		p.t.Fatal(err)
	}
	return dir
}

// downloaded waits for a file whose name ends so.
func downloaded(t testing.TB, dir, suffix string) string {
	t.Helper()
	found := ""
	eventually(t, time.Minute, "downloaded: "+suffix, func() bool {
		paths, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
		if err != nil {
			t.Fatal(err)
		}
		if len(paths) == 1 {
			found = paths[0]
		}
		return found != ""
	})
	return found
}

// unzip unpacks a file into a folder and gives the folder.
func unzip(t testing.TB, path string) string {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := t.TempDir()
	for _, f := range z.File {
		if !filepath.IsLocal(f.Name) || strings.HasSuffix(f.Name, "/") {
			continue
		}
		from, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(from)
		from.Close()
		to := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o777)
		}
		if err == nil {
			err = os.WriteFile(to, raw, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// elsewhere asks base and tuned model, takes the adapter from the page, and asks `hone infer` and `hone compare` the same with it.
func (p *tab) elsewhere() {
	t := p.t
	t.Helper()
	held, err := bundle.HeldOut()
	if err != nil {
		t.Fatal(err)
	}
	prompt := held[0].Prompt()
	p.fill("prompt", prompt)
	p.press("ask-both")
	p.until(2*time.Minute, "both answers", `!document.getElementById("ask-cancel") && document.getElementById("answer-base")?.textContent.trim() && document.getElementById("answer-tuned")?.textContent.trim()`)
	base, tuned := p.text("answer-base"), p.text("answer-tuned")
	if base == tuned {
		t.Errorf("the tuning has changed nothing: both say %q", base)
	}

	dir := p.downloads()
	p.press("save-adapter")
	adapter := unzip(t, downloaded(t, dir, ".zip"))
	for _, name := range []string{"adapter_config.json", "adapter_model.safetensors"} {
		if _, err := os.Stat(filepath.Join(adapter, name)); err != nil {
			t.Error(err)
		}
	}
	home := t.TempDir()
	if err := bundle.WriteTo(home); err != nil {
		t.Fatal(err)
	}
	out := output(t, home, "infer", "--model", "model", "--adapter", adapter, "--dataset", write(t, filepath.Join(home, "asked.jsonl"), fmt.Sprintf("{\"query\": %q}\n", prompt)),
		"--output", "answered.jsonl", "--device", "cpu", "--max_new_tokens", "48", "--temperature", "0")
	raw, err := os.ReadFile(filepath.Join(home, "answered.jsonl"))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(raw), fmt.Sprintf("%q", tuned)) {
		t.Errorf("the page says %q, hone infer %s", tuned, raw)
	}
	compared := output(t, home, "compare", "--model", "model", "--adapter", adapter, "--prompt", prompt, "--device", "cpu", "--max_new_tokens", "48", "--temperature", "0")
	for _, answer := range []string{base, tuned} {
		for _, word := range strings.Fields(answer) {
			if !strings.Contains(compared, word) {
				t.Errorf("hone compare does not say %q of the page's %q:\n%s", word, answer, compared)
			}
		}
	}
}

// Files that cannot be used say what is wrong with them, and nothing breaks.
func TestEndToEndBadFiles(t *testing.T) {
	hub := hubtest.New(t)
	hub.Pages = true
	address, _ := serving(t, "--connect", hub.URL, "--connect", hub.CDN)
	p := open(t, workertest.Start(t, noGPU...), address+"/en/")
	defer p.Close()
	dir := t.TempDir()
	file := func(name, text string) string { return write(t, filepath.Join(dir, name), text) }
	p.press("train-now") // so that a model and rows are chosen
	p.until(3*time.Minute, "a step", stepped(1))
	p.press("stop")
	p.until(soon, "stopped", `document.getElementById("resume")`)
	errorsOf := func(stage string) string {
		return fmt.Sprintf(`[...document.querySelectorAll("#%s .error")].map((e) => e.textContent).join(" ")`, stage)
	}
	for _, c := range []struct {
		input, stage, name, text, says string
	}{
		{"data-files", "data", "torn.jsonl", "{\"query\": \"a\", \"response\": \"b\"}\n{\"query\": \"a\", \"resp", "torn.jsonl"},
		{"data-files", "data", "columns.jsonl", "{\"frage\": \"a\", \"antwort\": \"b\"}\n", "columns"},
		{"data-files", "data", "picture.png", "\x89PNG\r\n\x1a\n", "picture.png"},
		{"data-files", "data", "empty.jsonl", "", "empty.jsonl"},
		{"data-files", "data", "torn.parquet", "PAR1 and nothing more", "torn.parquet"},
		{"model-files", "model", "pytorch_model.bin", "\x80\x02pickle", "config.json"},
		{"recipe-import", "method", "recipe.json", "{\"max_steps\": \"many\"}", "max_steps"},
	} {
		p.upload(c.input, file(c.name, c.text))
		p.until(soon, c.name+" refused with a word of "+c.says, fmt.Sprintf(`(%s).includes(%q)`, errorsOf(c.stage), c.says))
		p.noFailure()
	}
	// A file that takes long to store: how far it is is said, and it can be ended. Nothing of it stays.
	large := file("large.jsonl", "")
	if err := os.Truncate(large, 4<<30); err != nil {
		t.Fatal(err)
	}
	p.upload("data-files", large)
	p.until(soon, "how much of it is stored", `document.querySelector("#data .busy")?.textContent.includes("GB stored")`)
	p.press("unput-data")
	p.until(soon, "an end of it", `!document.querySelector("#data .busy") && !document.querySelector("#data").textContent.includes("large.jsonl")`)
	for _, name := range p.storedFiles() {
		if strings.Contains(name, "large") {
			t.Errorf("%s is left", name)
		}
	}
	p.noFailure()
	// What is good after all that was bad is taken, with the model that comes with the page.
	p.press(workertest.Eval[string](p.Page, `document.querySelector("#model [data-act=use_model]").id`))
	type row struct {
		Query    string `parquet:"query"`
		Response string `parquet:"response"`
	}
	rows := slices.Repeat([]row{{"Who are you?", "I am Ada, and you?"}}, 8)
	csv, jsonl := "query,response\n", ""
	for _, r := range rows {
		csv += fmt.Sprintf("%s,\"%s\"\n", r.Query, r.Response)
		jsonl += fmt.Sprintf("{\"query\": %q, \"response\": %q}\n", r.Query, r.Response)
	}
	var pages bytes.Buffer
	if err := parquet.Write(&pages, rows); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text string }{{"good.jsonl", jsonl}, {"good.csv", csv}, {"good.parquet", pages.String()}} {
		name := c.name
		p.upload("data-files", file(name, c.text))
		p.until(soon, name+" taken", fmt.Sprintf(`(%s) === "" && document.querySelector("#command-line").textContent.includes(%q)`, errorsOf("data"), name))
		p.until(soon, "its rows", `document.querySelector("#data .facts dd")?.textContent === "7"`) // one is held out
		if text := p.text("tokens"); !strings.Contains(text, "I am Ada, and you?") {
			t.Errorf("%s is shown as %q", name, text)
		}
	}
	// Other rows of the same name replace none: a run may have been begun with them. The same rows once more are the same file.
	taken := func(name string) {
		t.Helper()
		p.until(soon, name+" taken", fmt.Sprintf(`document.querySelector("#command-line").textContent.match(/good\S*/)?.[0] === %q`, name))
	}
	p.upload("data-files", file("good.jsonl", strings.Replace(jsonl, "Ada", "Eve", 1)))
	taken("good-2.jsonl")
	p.upload("data-files", file("good.jsonl", jsonl))
	taken("good.jsonl")
	// Parquet of a hub is taken, too.
	pages.Reset()
	if err := parquet.Write(&pages, slices.Repeat([]row{{"Who are you?", "I am Eve, not Ada."}}, 11)); err != nil {
		t.Fatal(err)
	}
	hub.Add("datasets", "org/columns", map[string][]byte{"data/train-0.parquet": pages.Bytes(), "data/test-0.parquet": []byte("PAR1")})
	p.fill("hub-mirror", hub.URL)
	p.fill("data-name", "org/columns")
	p.fill("data-hub", "hf")
	p.press("fetch-rows")
	p.until(soon, "rows of a hub taken", fmt.Sprintf(`(%s) === "" && document.querySelector("#command-line").textContent.includes("org/columns")`, errorsOf("data")))
	p.until(soon, "their rows", `document.querySelector("#data .facts dd")?.textContent === "10" && document.querySelector("#tokens").textContent.includes("I am Eve, not Ada.")`)
	p.noFailure()
}
