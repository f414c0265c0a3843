//go:build soak && !js

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hone/core/golden"
	"hone/web/words"
	"hone/web/worker/workertest"
)

// TestScreens walks through the stages and leaves pictures in .build/screens, for people to look at: light and dark, wide and
// phone, both languages.
func TestScreens(t *testing.T) {
	dir := filepath.Join(golden.Root(t), ".build", "screens")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	address, _ := serving(t)
	for _, l := range words.Languages {
		p := open(t, workertest.Start(t, noGPU...), address+"/"+string(l)+"/")
		p.pictures(dir, l, "1-opened")
		p.press("train-now")
		p.until(3*time.Minute, "a curve", stepped(40))
		p.pictures(dir, l, "2-training")
		p.press("stop")
		p.until(soon, "stopped", `document.getElementById("resume")`)
		p.press("example-0")
		p.until(soon, "asked the example", `document.getElementById("prompt").value`)
		p.press("ask-both")
		p.until(2*time.Minute, "both answers", `!document.getElementById("ask-cancel") && document.getElementById("answer-tuned")?.textContent.trim()`)
		p.pictures(dir, l, "3-answered")
		p.unfold()
		p.pictures(dir, l, "4-unfolded")
		p.Close()
	}
	if found, err := filepath.Glob(filepath.Join(dir, "*.png")); err != nil || len(found) != 2*4*4 {
		t.Errorf("%d pictures (%v)", len(found), err)
	}
}

// pictures takes the whole page in both schemes and at two widths.
func (p *tab) pictures(dir string, l words.Language, stage string) {
	p.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		for _, width := range []int64{1280, 390} {
			if err := chromedp.Do(p.Context(), chromedp.EmulateViewport(width, 900)); err != nil {
				p.t.Fatal(err)
			}
			time.Sleep(400 * time.Millisecond) // the curves are drawn anew a little after the width has changed
			if wide := workertest.Eval[float64](p.Page, "document.documentElement.scrollWidth"); int64(wide) > width {
				p.t.Errorf("%s %s: %.0f pixels wide, on a screen of %d", l, stage, wide, width)
			}
			png, err := chromedp.Run(p.Context(), chromedp.FullScreenshot(100))
			if err != nil {
				p.t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s-%s-%d.png", stage, l, scheme, width)), png, 0o666); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}
