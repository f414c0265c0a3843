//go:build !js

package webtest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hone/web/studio/studiotest"
	"hone/web/worker/workertest"
)

// widest names the elements that stand out of the page's right edge.
const widest = `[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll")).map((e) => e.tagName + "." + e.className + "#" + e.id).slice(0, 12).join(", ")`

// TestGallery takes pictures of every stage, in both languages and themes, wide and on a phone, into the folder that
// HONE_GALLERY names.
func TestGallery(t *testing.T) {
	into := os.Getenv("HONE_GALLERY")
	if into == "" {
		t.Skip("HONE_GALLERY names no folder for pictures")
	}
	if err := os.MkdirAll(into, 0o777); err != nil {
		t.Fatal(err)
	}
	site := Serve(t, func() *studiotest.Host {
		h := studiotest.New(true)
		h.Pace = 12 * time.Millisecond
		if os.Getenv("HONE_GALLERY_CPU") != "" {
			h.Is.Kind, h.Is.Device, h.Is.Reason = "cpu", "WebAssembly, 1 thread", "This browser offers no WebGPU. Chrome 113 or newer has it; in Firefox and Safari it may have to be switched on."
		}
		return h
	})
	browser := workertest.Start(t)
	for _, look := range []struct {
		name, language, theme string
		width, height         int64
	}{
		{"en-light-wide", "en", "light", 1280, 900}, {"zh-dark-wide", "zh", "dark", 1280, 900},
		{"en-dark-phone", "en", "dark", 390, 844}, {"zh-light-phone", "zh", "light", 390, 844},
	} {
		t.Run(look.name, func(t *testing.T) {
			page := browser.Visit(site.Address + "/" + look.language + "/")
			keep := func(name string, action chromedp.Action[[]byte]) {
				t.Helper()
				time.Sleep(400 * time.Millisecond) // what moves comes to rest
				png, err := chromedp.Run(page.Context(), action)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(into, look.name+"-"+name+".png"), png, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			shoot := func(name string) { t.Helper(); keep(name, chromedp.CaptureScreenshot()) }
			part := func(name, id string) { // alone, so that it is as large as can be
				t.Helper()
				workertest.Eval[bool](page, `[...document.querySelectorAll("main > *, #bar, #head, .foot")].forEach((e) => { e.style.display = e.id === "`+id+`" ? "" : "none"; }) || true`)
				keep(name, chromedp.FullScreenshot(100))
			}
			wait := func(expression string) {
				t.Helper()
				if !page.Wait(expression, 20*time.Second) {
					t.Fatalf("%s does not come about", expression)
				}
			}
			if err := chromedp.Do(page.Context(), chromedp.EmulateViewport(look.width, look.height)); err != nil {
				t.Fatal(err)
			}
			workertest.Eval[bool](page, `(document.documentElement.dataset.theme = "`+look.theme+`", true)`)
			wait(`document.querySelector("#train-now:not(:disabled)")`)
			shoot("1-open")
			workertest.Eval[bool](page, `(document.querySelector("#train-now").click(), true)`)
			wait(`document.querySelectorAll("#answers-pair .exchange").length > 0 && document.querySelector("#progress")?.value > 60`)
			shoot("2-training")
			wait(`!document.querySelector("#progress")`)
			workertest.Eval[bool](page, `(document.querySelector("#ask-both").closest("form").querySelector("#weather").click(), true)`)
			wait(`document.querySelector("#prompt").value !== ""`)
			workertest.Eval[bool](page, `(document.querySelector("#ask-both").click(), true)`)
			wait(`document.querySelectorAll("#answers .top").length === 2`)
			for _, d := range []string{"model-fold", "data-fold", "method-fold", "runs-fold", "model-facts", "tokens", "lengths", "own-rows", "other-models", "memory-parts", "command", "python", "sampling", "teach-train", "table-of-steps", "table-of-lengths"} {
				wait(`document.querySelector("#` + d + `")`)
				workertest.Eval[bool](page, `(document.getElementById("`+d+`").open = true)`)
			}
			workertest.Eval[bool](page, `[...document.querySelectorAll("#runs input[type=checkbox]")].slice(1, 3).map((x) => x.click()) && true`)
			wait(`document.querySelector("#chart-runs .uplot")`)
			workertest.Eval[bool](page, `(document.querySelector("#place-form").requestSubmit(), true)`)
			wait(`document.querySelector("#place-leaves")`)
			workertest.Eval[bool](page, `(document.querySelector("#place").open = true)`)
			if wide := workertest.Eval[int64](page, `document.documentElement.scrollWidth`); wide > look.width {
				t.Errorf("the page is %d wide on a screen of %d: %s", wide, look.width, workertest.Eval[string](page, widest))
			}
			for i, stage := range []string{"hero", "model", "data", "method", "train", "try", "save", "runs"} {
				part(fmt.Sprintf("3-%d-%s", i, stage), stage)
			}
			page.Check()
		})
	}
}
