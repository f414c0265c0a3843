//go:build !js

package e2e_test

import (
	"encoding/base64"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hone/core/checkpoint"
	"hone/core/device/cpu"
	"hone/core/run"
	"hone/core/safetensors"
	"hone/core/wire"
	"hone/web/worker/workertest"
)

// A run of the page goes to the server at step 10 and comes back at step 20. The page is reloaded while it is away. Losses and
// adapter are those of a run that nobody moved.
func TestEndToEndMoves(t *testing.T) {
	const steps = 24
	began := time.Now()
	at := func(what string) { t.Helper(); t.Logf("%4.1f s: %s", time.Since(began).Seconds(), what) }
	address, _ := serving(t, "--data_dir", t.TempDir(), "--device", "cpu")
	host := strings.TrimPrefix(address, "http://")
	p := open(t, workertest.Start(t), address+"/en/")
	defer p.Close()
	at("the page is open")
	p.fill("set-per_device_train_batch_size", "4")
	p.fill("set-max_steps", fmt.Sprint(steps))
	p.fill("set-val_dataset_sample", "4")
	p.press("play")
	p.until(3*time.Minute, "begun", `/step/.test(document.getElementById("state").textContent) && !document.getElementById("play").disabled`)
	p.press("play") // which is now to pause
	p.until(soon, "paused", `/^Paused/.test(document.getElementById("state").textContent)`)
	var now int
	if _, err := fmt.Sscanf(p.text("state"), "Paused after step %d", &now); err != nil || now > 10 {
		t.Fatalf("the page says %q", p.text("state"))
	}
	at("the run has begun")
	p.stepTo(now, 10)
	at("step 10")

	p.press("place-look")
	p.until(soon, "a list of what leaves", `document.getElementById("place-leaves")`)
	for _, want := range []string{"optimiser", "Model", "Rows"} {
		if leaves := p.text("place-leaves"); !strings.Contains(leaves, want) {
			t.Errorf("what leaves is %q, without %s", leaves, want)
		}
	}
	p.press("place-go")
	p.until(soon, "at the server", fmt.Sprintf(`document.getElementById("place-is").textContent.includes(%q)`, host))
	at("the run is at the server")
	p.stepTo(10, 14)
	if err := chromedp.Do(p.Context(), chromedp.Reload()); err != nil {
		t.Fatal(err)
	}
	p.ready()
	p.until(soon, "found again", fmt.Sprintf(`document.getElementById("place-is").textContent.includes(%q)`, host))
	at("the reloaded page has found it")
	p.stepTo(14, 20)
	p.press("place-back")
	p.until(soon, "back", `document.getElementById("place-is").textContent.includes("this browser")`)
	p.until(soon, "paused here", `/^Paused after step 20/.test(document.getElementById("state").textContent)`)
	p.press("play")
	at("the run is back")
	p.finished(3 * time.Minute)
	p.noFailure()
	at("the end")

	dir, logged, args := p.newest()
	want, adapter := wholeRun(t, args)
	same(t, logged, want, 2e-4)
	if len(logged) != steps {
		t.Errorf("%d steps are logged, want %d", len(logged), steps)
	}
	sameWeights(t, p.adapter(dir, steps), adapter, 1e-3)
}

// stepTo does single steps.
func (p *tab) stepTo(from, to int) {
	p.t.Helper()
	for n := from + 1; n <= to; n++ {
		p.until(soon, fmt.Sprintf("paused after step %d", n-1), fmt.Sprintf(`document.getElementById("state").textContent.startsWith("Paused after step %d ")`, n-1))
		p.press("one-step")
		p.until(soon, fmt.Sprintf("paused after step %d", n), fmt.Sprintf(`document.getElementById("state").textContent.startsWith("Paused after step %d ")`, n))
	}
}

// adapter brings the adapter of a checkpoint in the page's storage to a file here.
func (p *tab) adapter(dir string, step int) string {
	p.t.Helper()
	at := filepath.Join(p.t.TempDir(), checkpoint.AdapterTensors)
	if err := os.WriteFile(at, p.bytes(fmt.Sprintf("%s/checkpoint-%d/%s", dir, step, checkpoint.AdapterTensors)), 0o666); err != nil {
		p.t.Fatal(err)
	}
	return at
}

// bytes are those of a file in the page's storage.
func (p *tab) bytes(path string) []byte {
	p.t.Helper()
	raw, err := base64.StdEncoding.DecodeString(workertest.Eval[string](p.Page, fmt.Sprintf(`(async () => {
		let d = await navigator.storage.getDirectory();
		const parts = %q.split("/"), name = parts.pop();
		for (const p of parts) d = await d.getDirectoryHandle(p);
		const bytes = new Uint8Array(await (await (await d.getFileHandle(name)).getFile()).arrayBuffer());
		let text = "";
		for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
		return btoa(text);
	})()`, path)))
	if err != nil {
		p.t.Fatal(err)
	}
	return raw
}

// wholeRun runs a recipe of the page here to its end, and gives its steps and its adapter.
func wholeRun(t testing.TB, args string) ([]wire.Stepped, string) {
	t.Helper()
	r := here(t, args)
	dev := cpu.New(0)
	defer dev.Close()
	var found []wire.Stepped
	result, err := run.Start(t.Context(), r, dev, func(e wire.Event) {
		if s, ok := e.(wire.Stepped); ok {
			found = append(found, s)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, filepath.Join(result.Directory, checkpoint.AdapterTensors)
}

// sameWeights compares the tensors of two files: the norm of their difference over the norm of the second.
func sameWeights(t testing.TB, got, want string, tolerance float64) {
	t.Helper()
	read := func(path string) map[string][]float32 {
		f, err := safetensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		all := map[string][]float32{}
		for _, info := range f.Tensors() {
			all[info.Name] = make([]float32, info.Shape.Elements())
			if err := f.ReadF32(info.Name, all[info.Name]); err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	a, b := read(got), read(want)
	if len(a) != len(b) || len(b) == 0 {
		t.Fatalf("%d tensors, want %d", len(a), len(b))
	}
	var difference, norm float64
	for name, y := range b {
		x := a[name]
		if len(x) != len(y) {
			t.Fatalf("%s has %d numbers, want %d", name, len(x), len(y))
		}
		for i := range y {
			difference += (float64(x[i]) - float64(y[i])) * (float64(x[i]) - float64(y[i]))
			norm += float64(y[i]) * float64(y[i])
		}
	}
	worst := math.Sqrt(difference / norm)
	t.Logf("the adapters differ by %.1e of their norm", worst)
	if !(worst <= tolerance) {
		t.Errorf("the adapters differ by %.3g of their norm", worst)
	}
}
