//go:build soak && !js

package e2e_test

import (
	"strings"
	"testing"

	"hone/web/worker/workertest"
)

// A recipe goes away as a file or as a link, and comes back; in another tab, too.
func TestEndToEndRecipeTravels(t *testing.T) {
	address, _ := serving(t)
	b := workertest.Start(t, noGPU...)
	p := open(t, b, address+"/en/")
	defer p.Close()
	const set = `document.getElementById("tuner-qlora").checked && document.getElementById("command-line").textContent.includes("--lora_rank 4")`
	p.press("tuner-qlora")
	p.fill("set-lora_rank", "4")
	p.until(soon, "a command with the settings", set)
	dir := p.downloads()
	p.press("recipe-export")
	file := downloaded(t, dir, "recipe.json")
	p.press("reset")
	p.until(soon, "the defaults", "!("+set+")")
	p.upload("recipe-import", file)
	p.until(soon, "the settings again", set)
	workertest.Eval[bool](p.Page, `!!(navigator.clipboard.writeText = async (text) => { globalThis.copied = text; })`)
	p.press("copy-link")
	p.until(soon, "a link", `globalThis.copied?.includes("lora_rank=4")`)
	p.until(soon, "the plain address again", `location.hash === ""`)
	link := workertest.Eval[string](p.Page, "copied")
	if rows := strings.Count(link, ".json"); rows == 0 || rows != strings.Count(link, "bundle%2F")-1 { // of rows only those that everybody has, beside their model
		t.Errorf("the link names %d sets of rows: %s", rows, link)
	}
	other := open(t, b, link)
	defer other.Close()
	other.until(soon, "the settings in another tab", set)
	other.until(soon, "its rows in another tab", `document.getElementById("command-line").textContent.includes("bundle/world.json")`)
	other.until(soon, "the model in another tab", `document.getElementById("command-line").textContent.includes("--model bundle/model")`)
}
