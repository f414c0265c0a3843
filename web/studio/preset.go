package studio

import (
	"maps"
	"slices"
	"strings"

	"hone/web/parts"
)

// tiny is the recipe of the one button: the model and rows that come with the page, and what shows its effect soon.
var tiny = map[string]string{"train_type": "lora", "lora_rank": "16", "lora_alpha": "32", "lora_dropout": "0", "learning_rate": "3e-3", "warmup_ratio": "0.05",
	"per_device_train_batch_size": "16", "gradient_accumulation_steps": "1", "max_steps": "300", "gradient_checkpointing": "false",
	"val_dataset_sample": "64", "eval_steps": "25", "save_steps": "25", "save_total_limit": "2", "logging_steps": "1"}

// presets are recipes by their purpose; what they do not name stays as it was.
var presets = map[string]map[string]string{
	"quick": {"max_steps": "20", "per_device_train_batch_size": "8", "gradient_accumulation_steps": "1", "learning_rate": "3e-3", "lora_rank": "8", "lora_alpha": "16",
		"split_dataset_ratio": "0.05", "eval_steps": "10", "logging_steps": "1", "lora_dropout": "0", "gradient_checkpointing": "false"},
	"careful": {"max_steps": "300", "per_device_train_batch_size": "16", "gradient_accumulation_steps": "1", "learning_rate": "1e-3", "lora_rank": "16", "lora_alpha": "32",
		"split_dataset_ratio": "0.1", "eval_steps": "25", "logging_steps": "1", "warmup_ratio": "0.05", "lora_dropout": "0.05", "gradient_checkpointing": "false"},
	"overfit": {"max_steps": "200", "per_device_train_batch_size": "8", "gradient_accumulation_steps": "1", "learning_rate": "1e-2", "lora_rank": "64", "lora_alpha": "128",
		"train_dataset_sample": "16", "val_dataset_sample": "32", "split_dataset_ratio": "0.5", "eval_steps": "10", "logging_steps": "1", "lora_dropout": "0", "lr_scheduler_type": "constant", "gradient_checkpointing": "false"},
}

// rates are the presets' learning rates for models other than the bundled one, which are hundreds of times as large and know more to lose:
// those that are usual for adapters, and a tenth for all weights.
var rates = map[string]struct{ adapter, full string }{"quick": {"2e-4", "2e-5"}, "careful": {"1e-4", "1e-5"}, "overfit": {"1e-3", "1e-4"}}

// little are settings that a model of a million parameters may have and a real one may not: its memory, and how far a step may go.
var little = []string{"learning_rate", "per_device_train_batch_size", "gradient_accumulation_steps", "gradient_checkpointing"}

func (t *Studio) preset(name string) {
	p, ok := presets[name]
	if !ok {
		return
	}
	t.change(func(s *parts.State) {
		for _, others := range presets {
			for k := range others {
				delete(s.Settings, k)
			}
		}
		maps.Copy(s.Settings, p)
		if !bundledModel(s) {
			forgetLittle(s)
			if s.Settings["learning_rate"] = rates[name].adapter; s.Setting("train_type") == "full" {
				s.Settings["learning_rate"] = rates[name].full
			}
		}
		forgetSamples(s)
		accept(s)
		s.Forecast = nil
	})
	t.plan()
}

// forgetSamples takes out of a recipe that the button or a preset wants some rows only, where there are texts: they have none.
func forgetSamples(s *parts.State) {
	if !slices.ContainsFunc(s.DataFiles(), func(f string) bool { return strings.HasSuffix(strings.ToLower(f), ".txt") }) {
		return
	}
	for _, k := range []string{"train_dataset_sample", "val_dataset_sample"} {
		if v, ok := s.Settings[k]; ok && isPreset(k, v) {
			delete(s.Settings, k)
			s.Settings["split_dataset_ratio"] = "0.1"
		}
	}
}

// bundledModel reports whether the recipe's model is the one that comes with the page.
func bundledModel(s *parts.State) bool { return s.Model != nil && s.Model.Bundled }

// forgetLittle takes out of a recipe what is right for the bundled model alone, where it was not the user who set it so.
func forgetLittle(s *parts.State) {
	for _, k := range little {
		if isPreset(k, s.Settings[k]) {
			delete(s.Settings, k)
		}
	}
	if s.Settings["max_steps"] == tiny["max_steps"] {
		delete(s.Settings, "max_steps")
	}
}

// isPreset reports whether a setting has a value that the button or a preset gives it.
func isPreset(name, value string) bool {
	if value == tiny[name] {
		return true
	}
	for preset, p := range presets {
		if value == p[name] || name == "learning_rate" && (value == rates[preset].adapter || value == rates[preset].full) {
			return true
		}
	}
	return false
}
