package studio

import (
	"testing"
)

// Overfitting on purpose takes what there is of somebody's rows, and of a text, which has none, all: then nothing is asked for that a host
// would refuse.
func TestOverfitOwn(t *testing.T) {
	b := open(t, "en")
	b.ready()
	b.do("preset", "preset", "overfit")
	b.do("use_data", "use", "data/mine.jsonl", "checked", "true")
	if s := b.settings(); s["train_dataset_sample"] != "16" || s["val_dataset_sample"] != "32" || s["split_dataset_ratio"] != "0.5" {
		t.Errorf("of few rows: %v", s)
	}
	b.do("use_data", "use", "data/story.TXT", "checked", "true")
	for range 2 {
		s := b.settings()
		if _, train := s["train_dataset_sample"]; train || s["val_dataset_sample"] != "" || s["split_dataset_ratio"] != "0.1" {
			t.Errorf("of a text: %v", s)
		}
		b.do("preset", "preset", "overfit")
	}
	b.do("use_data", "use", "data/story.TXT", "checked", "false")
	b.do("preset", "preset", "overfit")
	b.do("set", "split_dataset_ratio", "0")
	if v, ok := b.settings()["val_dataset_sample"]; ok {
		t.Errorf("nothing is to be held out, and %s rows are", v)
	}
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
