package recipe

import (
	"strings"
	"testing"
)

// TestForeignFlags wants no name twice, none that is a setting, and a sentence for each.
func TestForeignFlags(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range foreignFlags {
		if len(f.why) < 20 {
			t.Errorf("%s: %q is no reason", f.names, f.why)
		}
		for _, name := range strings.Fields(f.names) {
			if seen[name] {
				t.Errorf("%s stands there twice", name)
			}
			seen[name] = true
			if field(canonical(name)) != nil {
				t.Errorf("%s is a setting", name)
			}
			if canonical(name) != name {
				t.Errorf("%s could not be found", name)
			}
		}
	}
}

func TestForeignFlagsAreAccepted(t *testing.T) {
	r, err := Parse(strings.Fields("--model m --dataset d.json --use_flash_attn true --use-flash-attn true --bf16 --report_to tensorboard wandb --deepspeed=default-zero2 --lora_rank 4 --eval_strategy steps --save_only_model"))
	if err != nil {
		t.Fatal(err)
	}
	notes := r.Notes()
	if len(notes) != 6 || r.LoRARank != 4 || !strings.HasPrefix(notes[0], "--use_flash_attn true does nothing: attention") ||
		!strings.HasPrefix(notes[1], "--bf16 does nothing") || !strings.HasPrefix(notes[2], "--report_to tensorboard wandb does nothing") {
		t.Errorf("%q", notes)
	}
	plain, err := Parse(strings.Fields("--model m --dataset d.json --lora_rank 4"))
	if err != nil || r.Hash() != plain.Hash() {
		t.Errorf("flags that do nothing change the hash, %v", err)
	}
	for line, want := range map[string]string{
		"--eval_strategy epoch":     "--eval_strategy epoch cannot be had: save_steps",
		"--use_dora true":           "no such method",
		"--use_flash_atn true":      "unknown flag --use_flash_atn",
		"--load_in_8bit":            "--load_in_8bit",
		"--stage dpo":               "--stage dpo",
		"--save_strategy":           "save_strategy",
		"--modules_to_save lm_head": "only the adapters train",
	} {
		if _, err := Parse(strings.Fields("--model m --dataset d.json " + line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}
