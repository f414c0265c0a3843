//go:build !js

package worker_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/bundle"
	"hone/core/checkpoint"
	"hone/core/device/cpu"
	"hone/core/generate"
	"hone/core/run"
	"hone/core/wire"
	"hone/web/worker/workertest"
)

// TestTrainerLife is what happens to a tab that trains: it is reloaded, it is one of two, its owner closes it, it is given bad files,
// and what it has made is taken away.
func TestTrainerLife(t *testing.T) {
	b, address := workertest.Start(t), goldenSite(t)
	p := b.Open(address, "trainer.js")
	p.PutFolder("models/tiny_llama", "tiny_llama")
	p.PutFolder("models/tiny_lora_init", "tiny_lora/adapter_init")
	p.Put(map[string]string{"data/tiny_lora.jsonl": "golden/tiny_lora/dataset.jsonl"})
	workertest.Ask[wire.Host](p, wire.Hello{})

	run := workertest.Ask[wire.RunName](p, wire.Start{Recipe: goldenRecipe(t, "tiny_lora", "cpu", nil)}).Run
	p.Until("finished", 0, patience)
	want := lossesOf(t, replay(p, run))
	if strings.Count(want, "\n") != 8 {
		t.Fatalf("the run that is left alone has the losses\n%s", want)
	}
	t.Run("reload", func(t *testing.T) {
		id := halfWay(t, p)
		from := len(p.Events())
		workertest.Eval[any](p, `send({ type: "hidden" })`) // as a page says that goes out of sight
		p.Until("saved", from, patience)
		workertest.Eval[any](p, "location.reload()")
		if !p.Wait("globalThis.events !== undefined && events.length === 0", patience) {
			t.Fatal("the page does not come again")
		}
		if hello := workertest.Ask[wire.Host](p, wire.Hello{}); hello.Going != "" && hello.Going != id {
			t.Errorf("%s is going on, want %s", hello.Going, id)
		}
		goesOn(t, p, id, want, 0)
	})
	t.Run("two tabs", func(t *testing.T) {
		q := b.Open(address, "trainer.js")
		defer q.Close()
		if !q.Wait("messages.some((m) => m.type === 'watching')", patience) {
			t.Fatal("the second tab does not watch the first")
		}
		if hello := workertest.Ask[wire.Host](q, wire.Hello{}); len(hello.Runs) != 2 || len(hello.Models) < 2 {
			t.Errorf("the second tab sees %+v", hello)
		}
		id := halfWay(t, q) // by the device of the first
		if heard := len(p.Events()); heard == 0 {
			t.Error("the first tab does not hear of the run that the second started")
		}
		from := len(q.Events())
		p.Close()
		if !q.Wait("messages.some((m) => m.type === 'host')", patience) {
			t.Fatal("the second tab does not take over")
		}
		goesOn(t, q, id, want, from)
		badFiles(t, q)
		takeAway(t, q)
	})
}

// halfWay starts the run of the reference case and leaves it paused after its third step; the second was the last that was saved.
func halfWay(t *testing.T, p *workertest.Page) string {
	t.Helper()
	from := len(p.Events())
	id := workertest.Ask[wire.RunName](p, wire.Start{Recipe: goldenRecipe(t, "tiny_lora", "cpu", map[string]any{"max_steps": 8, "save_steps": 100})}).Run
	workertest.Ask[any](p, wire.Steer{Run: id, Do: "pause"})
	p.Until("paused", from, patience)
	done := stepsOf(t, replay(p, id))
	for len(done) < 3 {
		if len(done) == 2 {
			workertest.Ask[any](p, wire.Steer{Run: id, Do: "save"})
		}
		from = len(p.Events())
		workertest.Ask[any](p, wire.Steer{Run: id, Do: "step"})
		p.Until("paused", p.Until("stepped", from, patience), patience) // whose mark a tab leaves that is closed now
		done = stepsOf(t, replay(p, id))
	}
	if len(done) == 8 {
		t.Fatal("the run was over before it could be paused")
	}
	return id
}

// goesOn waits until a run that was cut short begins again, after so many events, paused as it was. Then it lets the run end, and
// compares it with one that was left alone.
func goesOn(t *testing.T, p *workertest.Page, id, want string, from int) {
	t.Helper()
	again := fmt.Sprintf("(() => { const later = events.slice(%d), at = later.findIndex((e) => e.name === 'started'); return at >= 0 && later.slice(at).some((e) => e.name === 'paused'); })()", from)
	if !p.Wait(again, patience) {
		t.Fatalf("the run does not go on; there are %s", workertest.Eval[string](p, "JSON.stringify(events) + failures"))
	}
	before := len(stepsOf(t, replay(p, id)))
	workertest.Ask[any](p, wire.Steer{Run: id, Do: "continue"})
	p.Until("finished", 0, patience)
	events := replay(p, id)
	if got := lossesOf(t, events); got != want {
		t.Errorf("losses\n%s\nwant\n%s", got, want)
	}
	if before < 3 {
		t.Errorf("only %d steps are known of the time before", before)
	}
	starts := 0
	for i, e := range events {
		if e.Seq != uint64(i+1) {
			t.Errorf("event %d has number %d", i+1, e.Seq)
		}
		if e.Name == "started" {
			starts++
		}
	}
	if starts < 2 {
		t.Error("the run was never begun again, so nothing was cut short")
	}
	p.Check()
}

// replay gives all that was told of a run.
func replay(p *workertest.Page, id string) (all []wire.Frame) {
	for next := uint64(1); ; {
		told := workertest.Ask[wire.Told](p, wire.Replay{Run: id, Seq: next})
		if len(told.Events) == 0 {
			return all
		}
		all, next = append(all, told.Events...), told.Next
	}
}

// lossesOf are the losses of the steps, in a form that shows every bit.
func lossesOf(t *testing.T, events []wire.Frame) string {
	t.Helper()
	var text strings.Builder
	for _, s := range stepsOf(t, events) {
		fmt.Fprintf(&text, "%d: %v\n", s.Step, s.Loss)
	}
	return text.String()
}

// badFiles puts files in the tab that cannot be used.
func badFiles(t *testing.T, p *workertest.Page) {
	text := func(path, content string) {
		t.Helper()
		if got := workertest.Eval[struct{ Error string }](p, fmt.Sprintf("store(%q, new Blob([%q]))", path, content)); got.Error != "" {
			t.Fatal(got.Error)
		}
	}
	text("models/empty/config.json", `{}`)
	text("models/torn/config.json", `{"model_type"`)
	p.Put(map[string]string{"models/bare/config.json": "golden/tiny_llama/config.json"})
	p.Put(map[string]string{"models/wrong/config.json": "golden/tiny_llama/config.json", "models/wrong/model.safetensors": "golden/tiny_lora/dataset.jsonl"})
	for model, want := range map[string][]string{
		"models/empty":           {"config.json", "model_type"},
		"models/torn":            {"config.json", "JSON"},
		"models/bare":            {"models/bare", "safetensors"},
		"models/wrong":           {"model.safetensors"},
		"models/none":            {"models/none", "no such directory"},
		"models/tiny_lora_init":  {"adapter", "base"},
		"models/../../elsewhere": {"no path of this workspace"},
	} {
		_, refusal := workertest.Try[wire.Model](p, wire.Inspect{Model: model})
		for _, w := range want {
			if !strings.Contains(refusal, w) {
				t.Errorf("%s: the sentence is %q, which says nothing of %q", model, refusal, w)
			}
		}
	}
	text("data/torn.jsonl", "{\"query\":\"a\",\"response\":\"b\"}\n{\"query\"")
	text("data/strange.jsonl", "{\"frage\":\"a\",\"antwort\":\"b\"}\n")
	look := func(file string) (wire.Preview, string) {
		return workertest.Try[wire.Preview](p, wire.Look{Recipe: goldenRecipe(t, "tiny_lora", "cpu", map[string]any{"model": "bundle/model", "dataset": []string{file}, "adapter": ""}), Rows: 1})
	}
	if preview, refusal := look("data/torn.jsonl"); !strings.Contains(preview.Refusal+refusal, "row 2 (line 2") {
		t.Errorf("a torn row: %q", preview.Refusal+refusal)
	}
	if preview, refusal := look("data/strange.jsonl"); refusal != "" || !strings.Contains(preview.Refusal, "frage") || !slices.Equal(preview.Columns, []string{"frage", "antwort"}) {
		t.Errorf("strange columns: %+v, %q", preview, refusal)
	}
	space := workertest.Ask[wire.Storage](p, wire.Delete{Path: "models/wrong"})
	if space.Quota == 0 {
		t.Errorf("%+v", space)
	}
}

// takeAway tunes the bundled model, takes the adapter away, and asks it here what it was asked there.
func takeAway(t *testing.T, p *workertest.Page) {
	hello := workertest.Ask[wire.Host](p, wire.Hello{})
	at := slices.IndexFunc(hello.Data, func(d wire.Data) bool { return d.Bundled })
	recipe, err := json.Marshal(map[string]any{"model": "bundle/model", "dataset": []string{hello.Data[at].Path}, "device": "cpu", "max_steps": 4, "per_device_train_batch_size": 2,
		"gradient_accumulation_steps": 1, "max_length": 64, "learning_rate": 1e-2, "logging_steps": 1, "lora_rank": 4})
	if err != nil {
		t.Fatal(err)
	}
	from := len(p.Events())
	id := workertest.Ask[wire.RunName](p, wire.Start{Recipe: recipe}).Run
	p.Until("finished", from, patience)
	file := workertest.Ask[wire.File](p, wire.Export{Run: id, What: "adapter"})
	raw := p.Take("/" + file.Path)
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil || int64(len(raw)) != file.Size {
		t.Fatal(err, len(raw), file.Size)
	}
	dir, model := filepath.Join(t.TempDir(), "adapter"), t.TempDir()
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
	if err := bundle.WriteTo(model); err != nil {
		t.Fatal(err)
	}
	// The layout is PEFT's: what is read is written again with the same bytes.
	config, err := checkpoint.ReadAdapterConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(dir, checkpoint.AdapterFile))
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(config)
	if err != nil || !bytes.Equal(compact(t, again), compact(t, written)) {
		t.Errorf("adapter_config.json is\n%s\nwant\n%s (%v)", written, again, err)
	}
	dev := cpu.New(0)
	defer dev.Close()
	pair, err := run.OpenPair(t.Context(), dev, filepath.Join(model, "model"), dir, run.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer pair.Close()
	for _, prompt := range []string{"What colour is the sky?", "How are you?"} {
		there := workertest.Ask[wire.Answers](p, wire.Answer{Run: id, Prompt: prompt, Sides: "both", Tokens: 12})
		base, tuned, err := pair.Answer(t.Context(), run.Question(prompt), generate.TextOptions{Options: generate.Options{MaxNewTokens: 12}})
		if err != nil || there.Base == nil || there.Tuned == nil || there.Base.Text != base || there.Tuned.Text != tuned {
			t.Errorf("%s: in the tab %+v; here %q and %q (%v)", prompt, there, base, tuned, err)
		}
	}
}

func compact(t *testing.T, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
