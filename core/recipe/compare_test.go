package recipe

import (
	"slices"
	"testing"
)

func TestHashAndDiff(t *testing.T) {
	const base = "--model m --dataset d,e --learning_rate 1e-3 "
	hash := func(line string) string { return parse(t, base+line).Hash() }
	plainHash := hash("")
	for _, line := range []string{
		"--output_dir x", "--logging_steps 1", "--save_steps 3", "--eval_steps 9", "--save_total_limit 2", "--device cpu", "--log_format json",
		"--resume_from_checkpoint x", "--max_steps 7", "--num_train_epochs 1", "--device_memory 8G", "--model other", "--seed 42",
		"--gradient_accumulation_steps 16", "--weight_decay 0.1",
	} {
		if hash(line) != plainHash {
			t.Errorf("%s changes the hash", line)
		}
	}
	seen := map[string]string{plainHash: "no flag"}
	for _, line := range []string{
		"--seed 1", "--learning_rate 2e-3", "--lora_rank 4", "--train_type qlora", "--train_type full", "--packing", "--dataset_shuffle false",
		"--lora_target_modules q_proj,v_proj", "--lora_target_modules q_proj", "--warmup_steps 0", "--batch_size 2", "--gradient_accumulation_steps 1",
		"--split_dataset_ratio 0.1", "--freeze_parameters a,b", "--freeze_parameters a",
	} {
		h := hash(line)
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have the same hash", line, other)
		}
		seen[h] = line
	}
	if first := hash("--target_modules q,v"); first != hash("--lora_target_modules=q,v --seed 42") {
		t.Error("the same settings written in another way have another hash")
	}
	if unresolved := Default(); unresolved.Hash() != parse(t, "").Hash() {
		t.Error("resolving changes the hash")
	}
	a := parse(t, base+"--target_modules q,v")
	b := parse(t, "--model ./m/ --dataset d,f --learning_rate 1e-3 --target_modules v,q --seed 7 --save_steps 3")
	if got, want := Diff(a, b), []string{"dataset", "seed", "eval_steps", "save_steps"}; !slices.Equal(got, want) {
		t.Errorf("Diff gives %q, want %q", got, want)
	}
}

func TestResume(t *testing.T) {
	old := parse(t, "--model m --dataset d --weight_decay 0 --save_steps 10 --max_steps 20 --train_type full")
	got, err := parse(t, "--resume_from_checkpoint out/checkpoint-10 --max_steps 40 --save_steps 5 --device cpu").Resume(old)
	if err != nil {
		t.Fatal(err)
	}
	if got.MaxSteps != 40 || got.SaveSteps != 5 || got.EvalSteps != 5 || got.Device != "cpu" || got.WeightDecay != 0 || got.Model != "m" ||
		got.LearningRate != 1e-5 || got.ResumeFromCheckpoint != "out/checkpoint-10" || !got.Given("weight_decay") || !got.Given("device") {
		t.Errorf("got %+v", got)
	}
	if old.Given("device") {
		t.Error("resuming has changed the old recipe")
	}
	if got.Hash() != old.Hash() {
		t.Error("the hash has changed")
	}
	if _, err := parse(t, "--model ./m --dataset d --weight_decay 0 --learning_rate 1e-5").Resume(old); err != nil {
		t.Errorf("the same settings again: %v", err)
	}
	_, err = parse(t, "--learning_rate 1e-3 --dataset d2 --max_steps 3 --packing").Resume(old)
	wantError(t, "changed", err, "learning_rate (was 1e-05, now 0.001)", "dataset (was d, now d2)", "packing (was false, now true)")
	if MayChangeOnResume("learning_rate") || !MayChangeOnResume("max_steps") || MayChangeOnResume("nothing") {
		t.Error("MayChangeOnResume")
	}
	// Exactly these, so that a new setting is thought about.
	var free []string
	for _, f := range Fields() {
		if f.Resume {
			free = append(free, f.Name)
		}
	}
	want := []string{"hub", "num_train_epochs", "max_steps", "eval_steps", "save_steps", "save_total_limit", "resume_from_checkpoint", "output_dir",
		"device", "device_memory", "kernel_variant", "fallback", "logging_steps", "log_format"}
	if !slices.Equal(free, want) {
		t.Errorf("free on resume: %q, want %q", free, want)
	}
}

func TestAdoptAdapter(t *testing.T) {
	targets := []string{"v_proj", "q_proj"}
	r := parse(t, "--adapter a --lora_rank 4 --target_modules q_proj,v_proj,q_proj")
	if err := r.AdoptAdapter(4, 9.5, true, 0.1, targets); err != nil {
		t.Fatal(err)
	}
	if r.LoRARank != 4 || r.LoRAAlpha != 9.5 || !r.UseRSLoRA || r.LoRADropout != 0.1 || !slices.Equal(r.LoRATargetModules, targets) || r.Given("lora_alpha") {
		t.Errorf("got %+v", r)
	}
	r = parse(t, "--adapter a --lora_rank 4 --lora_alpha 8 --use_rslora false --lora_dropout 0 --target_modules all-linear")
	before := r
	err := r.AdoptAdapter(8, 16, true, 0.05, targets)
	wantError(t, "all differ", err, `adapter "a"`, "--lora_rank is 4, but the adapter has 8", "--lora_alpha is 8, but the adapter has 16",
		"--use_rslora is false, but the adapter has true", "--lora_dropout is 0, but the adapter has 0.05",
		"--lora_target_modules is all-linear, but the adapter has v_proj,q_proj")
	if !r.Equal(before) {
		t.Error("a refused adapter has changed the recipe")
	}
}
