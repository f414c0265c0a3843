//go:build !js

package worker_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/andybalholm/brotli"

	"hone/core/wire"
	"hone/web/worker/workertest"
)

// TestBenchWeb measures the trainer in a tab: `make bench-web`. What the issue promises of it is asked for, too.
func TestBenchWeb(t *testing.T) {
	if os.Getenv("HONE_BENCH") == "" {
		t.Skip("a measurement; make bench-web runs it")
	}
	b, address := workertest.Start(t), goldenSite(t)
	p := b.Open(address, "trainer.js")
	defer p.Close()
	if !p.Wait("messages.some((m) => m.type === 'host')", patience) {
		t.Fatal("the worker does not begin")
	}
	t.Logf("from the navigation to a worker that answers, downloads from this machine included: %.0f ms", workertest.Eval[float64](p, "arrived"))
	p.PutFolder("models/tiny_llama", "tiny_llama")
	p.PutFolder("models/tiny_lora_init", "tiny_lora/adapter_init")
	p.Put(map[string]string{"data/tiny_lora.jsonl": "golden/tiny_lora/dataset.jsonl"})
	began := time.Now()
	hello := workertest.Ask[wire.Host](p, wire.Hello{})
	t.Logf("device: %s, opened and measured in %v", hello.Device, time.Since(began).Round(time.Millisecond))
	stepsInTab(t, p, "webgpu", 1000)
	stepsInTab(t, p, "cpu", 1000)
}

// stepsInTab trains a tiny model for many steps and looks at what is made and kept after the first of them.
func stepsInTab(t *testing.T, p *workertest.Page, device string, steps int) {
	from := len(p.Events())
	id := workertest.Ask[wire.RunName](p, wire.Start{Recipe: goldenRecipe(t, "tiny_lora", device, map[string]any{"max_steps": steps, "logging_steps": 10, "save_steps": 1 << 20})}).Run
	pauseAt := func(step int) workertest.Figures {
		for {
			at := 0
			for _, s := range stepsOf(t, p.Events()[from:]) {
				at = s.Step
			}
			if at >= step {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		before := len(p.Events())
		workertest.Ask[any](p, wire.Steer{Run: id, Do: "pause"})
		p.Until("paused", before, patience)
		return p.Measure()
	}
	first := pauseAt(20)
	began := time.Now()
	workertest.Ask[any](p, wire.Steer{Run: id, Do: "continue"})
	last := pauseAt(steps - 10)
	took := time.Since(began)
	workertest.Ask[any](p, wire.Steer{Run: id, Do: "continue"})
	p.Until("finished", from, patience)
	done := stepsOf(t, p.Events()[from:])
	end := done[len(done)-2]
	t.Logf("%s: %d steps in %v, %.0f tokens/s; heap %.2f MB after step 20, %.2f MB after step %d; memory taken %.1f MB", device, steps, took.Round(time.Millisecond), end.TokensPerSecond,
		float64(first.Heap)/1e6, float64(last.Heap)/1e6, end.Step, float64(last.Memory)/1e6)
	if grown := last.Heap - first.Heap; grown > 1<<20 {
		t.Errorf("%s: the heap has grown by %d bytes in %d steps", device, grown, steps)
	}
	if device != "webgpu" {
		return
	}
	before, after := first.GPU, last.GPU
	replays, dispatches, copies := after.Replays-before.Replays, after.Dispatches-before.Dispatches, after.Copies-before.Copies
	each := func(ms float64) float64 { return ms * 1000 / float64(dispatches) }
	encoding := each(after.Encoding - before.Encoding)
	t.Logf("webgpu: %d replays, %d dispatches; %.2f µs to encode one (limit 2), and %.2f µs of a submission", replays, dispatches, encoding, each(after.Submitting-before.Submitting))
	if dispatches == 0 || encoding > 2 {
		t.Errorf("%d dispatches took %.2f µs each to encode", dispatches, encoding)
	}
	// A tensor of a checkpoint that passes by comes down through a buffer of its own. Steps make nothing.
	made := after.CreateBuffer - before.CreateBuffer + after.CreateBindGroup - before.CreateBindGroup - copies
	t.Logf("webgpu: %d tensors saved meanwhile; beyond that %d buffers and bind groups made", copies, made)
	if made != 0 {
		t.Errorf("%d buffers and bind groups were made in %d steps after the first", made, steps)
	}
}

// TestBenchWeights says what programs weigh, and what in the trainer does.
func TestBenchWeights(t *testing.T) {
	if os.Getenv("HONE_BENCH") == "" {
		t.Skip("a measurement; make bench-web runs it")
	}
	for _, name := range []string{"trainer", "data"} {
		path := workertest.TrainerWasm(t)
		if name != "trainer" {
			path = workertest.Build(t, name, "build", "-trimpath", "-ldflags=-s -w", "./wasm/"+name)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var zipped, small bytes.Buffer
		z, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
		z.Write(raw)
		z.Close()
		w := brotli.NewWriterOptions(&small, brotli.WriterOptions{Quality: brotli.BestCompression, LGWin: 24})
		w.Write(raw)
		w.Close()
		t.Logf("%s.wasm: %d bytes, gzip -9 %d, brotli -11 %d", name, len(raw), zipped.Len(), small.Len())
		if small.Len() > 4_000_000 {
			t.Errorf("%s.wasm weighs %d bytes with brotli -11, more than 4 MB", name, small.Len())
		}
	}
	raw, err := os.ReadFile(workertest.Build(t, "named", "build", "-trimpath", "./wasm/trainer"))
	if err != nil {
		t.Fatal(err)
	}
	sizes, err := workertest.Weigh(raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("code of the trainer by origin, bytes:")
	names := slices.SortedFunc(maps.Keys(sizes), func(a, b string) int { return cmp.Compare(sizes[b], sizes[a]) })
	for _, name := range names[:min(40, len(names))] {
		t.Logf("%9d  %s", sizes[name], name)
	}
}
