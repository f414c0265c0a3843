package studio

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hone/core/wire"
)

// settings are the recipe's, as the page has them.
func (b *tab) settings() map[string]string {
	b.Studio.mu.Lock()
	defer b.Studio.mu.Unlock()
	all := map[string]string{}
	for k, v := range b.s.Settings {
		all[k] = v
	}
	return all
}

// has waits until something holds of the page's state. It looks without the lock of what was drawn, which drawing takes later.
func (b *tab) has(what string, ok func(t *Studio) bool) {
	b.t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		b.Studio.mu.Lock()
		good := ok(b.Studio)
		b.Studio.mu.Unlock()
		if good {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s does not come about", what)
		}
	}
}

// ready waits until the user may begin.
func (b *tab) ready() {
	b.t.Helper()
	b.has("readiness", func(t *Studio) bool { return t.marked["ready"] })
}

// A recipe for the bundled model is not one for others: what the button or a preset gave is left out, what the user has set stays.
func TestOtherModels(t *testing.T) {
	b := open(t, "en")
	b.do("set", "lora_rank", "32")
	b.do("use_model", "path", "models/own")
	for _, k := range little {
		if v, ok := b.settings()[k]; ok {
			t.Errorf("%s is still %s", k, v)
		}
	}
	if v := b.settings()["lora_rank"]; v != "32" {
		t.Errorf("lora_rank is %q", v)
	}
	b.do("preset", "preset", "careful")
	if v := b.settings()["learning_rate"]; v != "1e-4" {
		t.Errorf("the preset's learning_rate is %q", v)
	}
	b.do("set", "train_type", "full") // for which another is usual
	if v, ok := b.settings()["learning_rate"]; ok {
		t.Errorf("for full fine-tuning it is %q", v)
	}
	b.do("preset", "preset", "careful")
	if v := b.settings()["learning_rate"]; v != "1e-5" {
		t.Errorf("the preset's learning_rate for full fine-tuning is %q", v)
	}
	b.do("set", "learning_rate", "7e-6")
	b.do("set", "train_type", "lora")
	b.do("use_model", "path", "models/tiny")
	if v := b.settings()["learning_rate"]; v != "7e-6" {
		t.Errorf("what the user has set is now %q", v)
	}
}

// What a run was given stays given, also where it is what another method would have taken by itself.
func TestRecipeOfARun(t *testing.T) {
	b := open(t, "en")
	given := map[string]string{"train_type": "full", "learning_rate": "1e-4", "per_device_train_batch_size": "4", "gradient_accumulation_steps": "16", "save_steps": "50", "eval_steps": "500"}
	raw := `{"model":"models/tiny","dataset":["data/world.json"],"train_type":"full","learning_rate":1e-4,"per_device_train_batch_size":4,"gradient_accumulation_steps":16,"save_steps":50,"eval_steps":500}`
	b.takeRecipe(json.RawMessage(raw))
	for range 2 {
		for k, v := range given {
			if got := b.settings()[k]; strings.ReplaceAll(got, "0.0001", "1e-4") != v {
				t.Errorf("%s is %q, was %s", k, got, v)
			}
		}
		b.do("reset")
		b.do("import_recipe", "text", raw)
	}
}

// A link is taken once: what comes after it is what a page shows that is opened again.
func TestLinkGoes(t *testing.T) {
	b := waiting(t)
	b.begin("http://localhost/en/#recipe?lora_rank=4&model=models%2Ftiny&dataset=bundle%2Fworld.json")
	b.sees("runs", "tiny")
	b.ready()
	if got := b.settings(); got["lora_rank"] != "4" || got["dataset"] != "bundle/world.json" {
		t.Errorf("the link says %v", got)
	}
	b.do("language", "language", "zh")
	b.until("the address in Chinese, with its recipe", func() bool { return strings.HasPrefix(b.url, "http://localhost/zh/#recipe?lora_rank=4") })
	b.do("start")
	b.until("start", func() bool { _, ok := last[wire.Start](b.host); return ok })
	b.until("the plain address", func() bool { return b.url == "http://localhost/zh/" })
	b.do("use_data", "use", "data/mine.jsonl", "checked", "true")
	b.do("share")
	b.until("a link without data of the user's own", func() bool { return strings.Contains(b.url, "lora_rank=4") && !strings.Contains(b.url, "dataset") })
}

// A run that another tab begins is shown by this one, too.
func TestWatches(t *testing.T) {
	b := open(t, "en")
	b.sees("bar", "Finished")
	b.ready()
	const id = "tiny/v9-20260109-000000"
	hello := b.host.reply["hello"]
	b.host.set("hello", func(r wire.Request) (any, error) {
		h, err := hello(r)
		host := h.(wire.Host)
		host.Going, host.Runs = id, append([]wire.Run{{ID: id, Steps: 30}}, host.Runs...)
		return host, err
	})
	b.Told(event(id, 3, wire.Started{TotalSteps: 30}))
	b.sees("train", "v9-20260109")
	b.Told(event(id, 4, wire.Stepped{Step: 3, Loss: 1.75}))
	b.sees("bar", "step 3 of 30")
	b.sees("train", "1.75")
	b.Told(event("tiny/v8-20260109-000000", 1, wire.Started{TotalSteps: 70})) // not while one goes on
	b.Told(event(id, 5, wire.Stepped{Step: 4, Loss: 1.5}))
	b.sees("bar", "step 4 of 30")
}

// What belongs to a run goes with it: its error, answers, the page of its table. A run that goes on brings its past.
func TestRunsApart(t *testing.T) {
	b := open(t, "en")
	const first, second = "tiny/v0-20260101-000000", "tiny/v1-20260102-000000"
	replay := b.host.reply["replay"]
	b.host.set("replay", func(r wire.Request) (any, error) {
		if q := r.(wire.Replay); q.Run == first && q.Seq == 1 { // it failed, was resumed, and finished
			return wire.Told{Next: 9, Events: []wire.Frame{event(first, 1, wire.Started{TotalSteps: 3}), event(first, 2, wire.Stepped{Step: 1, Loss: 3}),
				event(first, 3, wire.Evaluated{Step: 2, EvalLoss: 9}), event(first, 4, wire.Failed{Reason: "the disk is full"}), event(first, 5, wire.Started{StartStep: 1, TotalSteps: 3}),
				event(first, 6, wire.Evaluated{Step: 2, EvalLoss: 2.125}), event(first, 7, wire.Stepped{Step: 3, Loss: 1}), event(first, 8, wire.Finished{Step: 3})}}, nil
		}
		return replay(r)
	})
	b.do("show_run", "run", first)
	b.sees("train", "2.125")
	b.lacks("bar", "disk is full")
	b.lacks("train", `<td class="figure">9</td>`) // measured after the last save, and again
	b.do("ask", "prompt", "Who?")
	b.sees("try", "tuned answer")
	b.do("table", "table", "steps", "end", "1")
	b.do("show_run", "run", second)
	b.sees("train", second)
	b.lacks("try", "tuned answer")

	b.do("show_run", "run", first)
	b.sees("train", "2.125")
	b.do("resume", "run", second)
	b.until("resume", func() bool { r, ok := last[wire.Resume](b.host); return ok && r.Run == second })
	b.Told(event(second, 3, wire.Started{StartStep: 2, TotalSteps: 10}))
	b.Told(event(second, 4, wire.Stepped{Step: 3, Loss: 1.5}))
	b.until("its curve from the beginning", func() bool { return fmt.Sprint(b.charts["chart-loss"].X) == "[1 2 3]" })
	b.Told(event(second, 5, wire.Saved{Step: 3}))
	b.sees("bar", "saved at step 3")
	b.Told(event(second, 6, wire.RateChanged{Step: 3, LearningRate: 5e-4}))
	b.sees("train", "set to 0.0005 after step 3")
}

// What is chosen no more is not read on, and what was refused is forgotten with the settings that replace it.
func TestLeftovers(t *testing.T) {
	b := open(t, "en")
	b.ready()
	look := b.host.reply["look"]
	going, end := make(chan bool, 9), make(chan bool)
	b.host.set("look", func(r wire.Request) (any, error) {
		going <- true
		<-end
		return look(r)
	})
	b.do("use_model", "path", "models/tiny")
	b.do("use_data", "use", "data/mine.jsonl", "checked", "true")
	<-going
	b.Studio.mu.Lock()
	files := b.s.DataFiles()
	b.Studio.mu.Unlock()
	for _, f := range files {
		b.do("use_data", "use", f, "checked", "false")
	}
	b.has("an end of the reading", func(t *Studio) bool { return t.s.Settings["dataset"] == "" && t.s.Busy["data"] == "" })
	close(end)
	b.lacks("data", "&lt;script&gt;")

	b.do("set", "lora_rank", "x9y")
	b.sees("method", "x9y")
	b.do("preset", "preset", "careful")
	b.lacks("method", "x9y")
}

// Rows of a hub are taken by the name that a recipe has for them, those of an address as the files that they are here; a dropped
// adapter is what the run goes on from.
func TestBrought(t *testing.T) {
	b := open(t, "en")
	b.ready()
	b.host.set("fetch", func(r wire.Request) (any, error) {
		if f := r.(wire.Fetch); f.What == "dataset" && f.Hub == "ms" {
			return wire.DataFiles{Of: "MS::org/rows", Files: []wire.Data{{Path: "hub/ms/datasets/org--rows/1/train.jsonl"}}}, nil
		}
		return wire.DataFiles{Files: []wire.Data{{Path: "data/rows.jsonl"}}}, nil
	})
	b.do("fetch_data", "of", " org/rows ", "hub", "ms")
	b.has("rows of the hub", func(t *Studio) bool { return t.s.Settings["dataset"] == "MS::org/rows" })
	if f, _ := last[wire.Fetch](b.host); f.Of != "org/rows" || f.What != "dataset" {
		t.Errorf("asked for is %+v", f)
	}
	b.do("fetch_data", "of", "https://data.example/rows.jsonl", "hub", "auto")
	b.has("rows of the address", func(t *Studio) bool { return t.s.Settings["dataset"] == "data/rows.jsonl" })

	hello := b.host.reply["hello"]
	b.host.set("hello", func(r wire.Request) (any, error) {
		h, err := hello(r)
		host := h.(wire.Host)
		host.Adapters = []wire.Model{{Path: "models/mine", Name: "mine", Bytes: 9}}
		return host, err
	})
	b.do("put_begun", "kind", "models")
	b.do("put_progress", "kind", "models", "file", "adapter_model.safetensors", "bytes", "1000000", "total", "3000000")
	b.sees("model", "adapter_model.safetensors: 1.0 MB of 3.0 MB stored")
	b.do("put_done", "kind", "models", "base", "models/mine/", "path", "models/mine/adapter_config.json")
	b.sees("model", "Training goes on from it")
	if got := b.settings(); got["adapter"] != "models/mine" || got["model"] != "models/tiny" || got["lora_rank"] != "" {
		t.Errorf("%v", got)
	}
	b.do("use_adapter", "path", "")
	b.sees("model", "Go on from it")
	if got := b.settings(); got["adapter"] != "" {
		t.Errorf("%v", got)
	}
}
