//go:build soak && !js

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hone/web/worker/workertest"
)

// A new release waits until its button is pressed, whatever is reloaded before.
func TestEndToEndUpdateIsOffered(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "site")
	output(t, t.TempDir(), "site", dir)
	host := files(t, dir, "/class/")
	page := workertest.Start(t).Visit(host.URL + "/class/en/")
	defer page.Close()
	if !page.Wait(controlled, time.Minute) {
		t.Fatal("no service worker after the first visit")
	}

	// The next release differs in what a browser does not show.
	path := filepath.Join(dir, "en", "index.html")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(raw), "</title>", `</title><meta name="next">`, 1))
	worker := filepath.Join(dir, "sw.js")
	if raw, err = os.ReadFile(worker); err != nil {
		t.Fatal(err)
	}
	write(t, worker, strings.Replace(string(raw), `"name":"`, `"name":"new-`, 1))

	reload := func() { workertest.Eval[bool](page, "(globalThis.left = true, location.reload(), true)") }
	reload()
	const next = `document.querySelector("meta[name=next]") !== null`
	const offered = `globalThis.left === undefined && document.getElementById("update")?.hidden === false`
	if !page.Wait(offered, time.Minute) {
		t.Fatal("the new release is not offered")
	}
	reload()
	if !page.Wait(offered, time.Minute) || workertest.Eval[bool](page, next) {
		t.Error("a reload took the new release, or no longer offers it")
	}
	workertest.Eval[bool](page, `(document.querySelector("#update button").click(), true)`)
	if !page.Wait(next+` && document.getElementById("update")?.hidden`, time.Minute) {
		t.Error("the button does not take the new release")
	}
}
