//go:build soak && !js

package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"hone/web/words"
	"hone/web/worker/workertest"
)

// lasting says for the browser's user whether the page may keep its files for good.
func (p *tab) lasting(setting browser.PermissionSetting) {
	p.t.Helper()
	if _, err := chromedp.CallBrowser(p.Context(), browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "persistent-storage"}, Setting: setting,
		Origin: workertest.Eval[string](p.Page, "location.origin"),
	}); err != nil {
		p.t.Fatal(err)
	}
}

// With the first thing worth keeping the browser is asked to keep it. That it does not promise so is said, and that it does. The meter
// shows what is used; models and runs that are deleted give their bytes back.
func TestEndToEndStorage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "little")
	size := int64(len(newModel(t, dir, 5)[weights]))
	address, _ := serving(t)
	p := open(t, workertest.Start(t, noGPU...), address+"/en/")
	defer p.Close()
	p.lasting(browser.PermissionSettingDenied)
	p.until(soon, "what is used", `document.getElementById("keep")`)
	if p.text("not-kept") != "" {
		t.Error("the browser was asked before there was anything to keep")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	p.until(2*time.Minute, "kept for use without a network, which takes room, too", controlled)
	before := workertest.Eval[int64](p.Page, "navigator.storage.estimate().then((e) => e.usage)")
	p.upload("model-files", files...)
	p.until(soon, "a word that nothing is promised", `document.getElementById("not-kept")`)
	if got := p.text("not-kept"); got != words.NotKept.In("en") {
		t.Errorf("the page says %q", got)
	}
	p.until(soon, "the model on the meter", fmt.Sprintf("%s >= %d", meter, before+size))
	p.lasting(browser.PermissionSettingGranted)
	p.press("keep")
	p.until(soon, "kept", fmt.Sprintf(`document.querySelector("#model .box .chip")?.textContent === %q`, words.Kept.In("en")))
	if p.text("not-kept") != "" {
		t.Error("the page still says that nothing is promised")
	}

	p.fill("set-max_steps", "1")
	p.fill("set-per_device_train_batch_size", "2")
	p.fill("set-val_dataset_sample", "2")
	p.press("play")
	p.until(soon, "begun", `document.getElementById("stop")`)
	p.finished(2 * time.Minute)
	run, _, _ := p.newest()
	adapter := int64(len(p.bytes(run + "/checkpoint-1/adapter_model.safetensors")))
	p.frees(run, adapter)
	model := workertest.Eval[string](p.Page, `[...document.querySelectorAll("#model .card.chosen [data-act=delete_ask]")].map((e) => e.dataset.vPath)[0]`)
	if !strings.HasPrefix(model, "models/") {
		t.Fatalf("the model that was trained lies in %q", model)
	}
	p.frees(model, size)
	p.noFailure()
}
