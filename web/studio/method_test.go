package studio

import (
	"encoding/json"
	"strings"
	"testing"

	"hone/core/wire"
)

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

// A recipe that is opened brings its model and its rows, or says what of it is not here; nothing is trained on what happened to be ticked.
func TestImportedRecipe(t *testing.T) {
	b := open(t, "en")
	b.ready()
	b.do("use_data", "use", "data/mine.jsonl", "checked", "true")
	b.do("import_recipe", "text", `{"model":"models/own","dataset":["data/world.json#5"],"lora_rank":4}`)
	if s := b.settings(); s["model"] != "models/own" || s["dataset"] != "data/world.json#5" || s["lora_rank"] != "4" {
		t.Errorf("all of it is here: %v", s)
	}
	b.has("the rows ticked", func(t *Studio) bool { return t.s.UsesData("data/world.json") && !t.s.UsesData("data/mine.jsonl") })
	b.do("set", "columns", `{"q":"query"}`)
	b.do("import_recipe", "text", `{"lora_rank":6}`)
	if s := b.settings(); s["model"] != "models/own" || s["dataset"] != "data/world.json#5" || s["lora_rank"] != "6" || s["columns"] != `{"q":"query"}` {
		t.Errorf("of settings alone: %v", s)
	}
	b.host.set("inspect", func(r wire.Request) (any, error) {
		return wire.Model{Path: r.(wire.Inspect).Model, Name: "org/large", Elsewhere: true}, nil
	})
	b.do("import_recipe", "text", `{"model":"org/large","dataset":["org/rows","data/mine.jsonl"],"train_type":"qlora","max_steps":7}`)
	b.sees("model", "Not in this browser")
	b.sees("method", "Rows of the recipe are not here: org/rows. Bring them to this page under Data, or tick others.")
	if s := b.settings(); s["model"] != "org/large" || s["dataset"] != "" || s["columns"] != "" || s["max_steps"] != "7" {
		t.Errorf("of another host: %v", s)
	}
	b.do("language", "language", "zh")
	b.sees("method", "配方里的数据不在这里：org/rows。")
	b.do("import_recipe", "text", `{"model_type":"qwen2.5-0.5b"}`)
	if s := b.settings(); s["model"] != "qwen2.5-0.5b" {
		t.Errorf("of a short name: %v", s)
	}
	b.lacks("method", "org/rows")
	b.host.set("inspect", func(r wire.Request) (any, error) { return wire.Model{Path: r.(wire.Inspect).Model, Name: "own"}, nil })
	b.do("language", "language", "en")
	b.do("import_recipe", "text", `{"model":"models/own","dataset":["data/mine.jsonl"],"val_dataset":["org/held"]}`)
	b.until("a forecast", func() bool { _, asked := last[wire.Forecast](b.host); return asked })
	b.sees("method", "org/held")
	b.do("use_data", "use", "data/world.json", "checked", "true")
	b.lacks("method", "org/held")
}
