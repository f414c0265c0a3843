package studio

import (
	"testing"
)

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
