//go:build !js

package webtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hone/core/wire"
	"hone/web/studio/studiotest"
	"hone/web/worker/workertest"
)

// TestPage trains by the keyboard, in both languages and themes, unfolds everything and lets axe-core look at it.
func TestPage(t *testing.T) {
	var last *studiotest.Host
	site := Serve(t, func() *studiotest.Host {
		last = studiotest.New(true)
		last.Pace = 400 * time.Millisecond // the run must not end by itself on a busy machine
		return last
	})
	browser := workertest.Start(t)
	for _, look := range []struct {
		language, theme string
		width           int64
	}{{"en", "light", 1280}, {"zh", "dark", 390}} {
		t.Run(look.language+"-"+look.theme, func(t *testing.T) {
			page := browser.Visit(site.Address + "/" + look.language + "/")
			defer page.Close()
			wait := func(expression string) {
				t.Helper()
				if !page.Wait(expression, 30*time.Second) {
					t.Fatalf("%s does not come about", expression)
				}
			}
			do := func(expression string) { t.Helper(); workertest.Eval[bool](page, "("+expression+", true)") }
			key := func(keys string) {
				t.Helper()
				if err := chromedp.Do(page.Context(), chromedp.KeyEvent(keys)); err != nil {
					t.Fatal(err)
				}
			}
			if err := chromedp.Do(page.Context(), chromedp.EmulateViewport(look.width, 844)); err != nil {
				t.Fatal(err)
			}
			do(`document.documentElement.dataset.theme = "` + look.theme + `"`)
			wait(`document.querySelector("#train-now:not(:disabled)")`)

			// By the keyboard alone: Tab comes to the button, Enter presses it.
			for i := 0; workertest.Eval[string](page, `document.activeElement.id`) != "train-now"; i++ {
				if i == 40 {
					t.Fatal("Tab does not come to the button")
				}
				key("\t")
			}
			key("\r")
			wait(`document.querySelector("#progress")?.value > 1`)
			if id := workertest.Eval[string](page, `document.activeElement.id`); id != "train-now" {
				t.Errorf("the focus went to %q while the page was drawn anew", id)
			}

			// What is half typed stays while the run redraws the page.
			do(`document.querySelector("#prompt").focus()`)
			key("what is")
			step := workertest.Eval[int](page, `document.querySelector("#progress").value`)
			wait(fmt.Sprintf(`document.querySelector("#progress")?.value > %d`, step+2))
			if got := workertest.Eval[string](page, `document.querySelector("#prompt").value + document.activeElement.id`); got != "what isprompt" {
				t.Errorf("after some steps the question and the focus are %q", got)
			}

			do(`document.querySelector("#play").click()`)
			wait(`document.querySelector("#play").dataset.act === "continue"`)
			do(`document.querySelector("#stop").click()`)
			wait(`!document.querySelector("#progress")`)
			do(`document.querySelector("#ask-both").click()`)
			wait(`document.querySelectorAll("#answers .top").length === 2`)
			do(`[...document.querySelectorAll("#runs input[type=checkbox]")].slice(1, 3).forEach((x) => x.click())`)
			wait(`document.querySelector("#chart-runs .uplot") && document.querySelector("#tokens")`)
			do(`document.querySelector("#place-form").requestSubmit()`)
			wait(`document.querySelector("#place-leaves")`)
			do(`document.querySelectorAll("details").forEach((d) => { d.open = true; })`)
			if wide := workertest.Eval[int64](page, `document.documentElement.scrollWidth`); wide > look.width {
				t.Errorf("the page is %d wide on a screen of %d", wide, look.width)
			}
			do(`document.head.append(Object.assign(document.createElement("script"), { src: "../a/axe.min.js" }))`)
			wait(`globalThis.axe`)
			for _, wrong := range workertest.Eval[[]string](page, `axe.run().then(({ violations }) => violations.filter((v) => v.impact === "serious" || v.impact === "critical")
				.map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 5).map((n) => n.html.slice(0, 160) + " " + n.any.map((a) => a.message).join(" ")).join(" | ")))`) {
				t.Errorf("axe: %s", wrong)
			}
		})
	}
	steers := 0
	for _, r := range last.Asked() {
		if _, ok := r.(wire.Steer); ok {
			steers++
		}
	}
	if steers < 2 {
		t.Errorf("the host was told %d times to pause or stop, want 2", steers)
	}
}
