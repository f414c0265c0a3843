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
