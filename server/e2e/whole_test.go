//go:build soak && !js

package e2e_test

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hone/web/worker/workertest"
)

// TestEndToEndButtonWhole trains the button's recipe to its end, on WebGPU and on the CPU in WebAssembly. Sums in another order
// move every loss a little, and the next ones further: the tolerance is that of a whole run.
func TestEndToEndButtonWhole(t *testing.T) {
	address, _ := serving(t)
	for _, c := range []struct {
		name, kind string
		flags      []chromedp.ExecAllocatorOption
	}{{"WASM CPU", "processor only", noGPU}, {"WebGPU", "WebGPU", nil}} {
		t.Run(c.name, func(t *testing.T) {
			p := open(t, workertest.Start(t, c.flags...), address+"/en/")
			defer p.Close()
			p.on(c.kind)
			p.press("train-now")
			p.until(soon, "begun", `document.getElementById("stop")`)
			p.finished(100 * time.Minute)
			_, logged, args := p.newest()
			want := native(t, args, len(logged))
			same(t, logged[:50], want[:50], 1e-3)
			same(t, logged, want, 5e-2)
			p.noFailure()
		})
	}
}
