package studio

import (
	"testing"

	"hone/core/wire"
)

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
