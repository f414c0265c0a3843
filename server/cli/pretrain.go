package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"hone/core/checkpoint"
	"hone/core/recipe"
	"hone/core/run"
	"hone/core/tensor"
)

func init() {
	register(command{name: "pretrain", args: "--dataset FILE[,FILE…] --config config.json [flags]", short: "Train a model from raw text, with its own tokenizer", run: pretrain})
}

func pretrain(e env, args []string) error {
	config, tokenizer, vocab, dtype := "", "", 4096, tensor.F32
	extra := named([]recipe.Flag{
		{Name: "config", Group: "The new model", Value: "FILE", Help: "config.json of the model; its vocab_size is set to the tokenizer's", Set: func(v string) error { config = v; return nil }},
		{Name: "vocab_size", Value: "N", Default: "4096", Unit: "tokens", Help: "size of the BPE tokenizer that is trained on the text", Set: count(&vocab)},
		{Name: "tokenizer", Value: "DIR", Help: "take the tokenizer of this directory instead of training one", Set: func(v string) error { tokenizer = v; return nil }},
		{Name: "dtype", Aliases: []string{"torch_dtype"}, Value: "NAME", Default: "float32", Help: "of the finished model: float32, float16 or bfloat16; training is in float32", Set: func(v string) (err error) {
			dtype, err = checkpoint.ParseDType(v)
			return err
		}},
	})
	usage := "pretrain --dataset FILE[,FILE…] --config config.json [flags]\n\nThe flags of sft, with --train_type full and --learning_rate 1e-3 as defaults. The model is left in <output_dir>/final."
	r, help, err := parseRecipe(e, args, usage, extra...)
	if err != nil || help {
		return err
	}
	if r.ResumeFromCheckpoint == "" {
		if err := startModel(&r, config, tokenizer, vocab); err != nil {
			return err
		}
	}
	result, err := trainRecipe(e, "pretrain", r)
	if err != nil {
		return err
	}
	// <output_dir>/<model>/<run>/checkpoint-<step>
	final := filepath.Join(result.Run, "..", "..", "final")
	if err := run.Export(result.Directory, final, dtype); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "model in %s\n", filepath.Clean(final))
	return nil
}

// startModel makes the random model that the recipe then trains.
func startModel(r *recipe.Recipe, config, tokenizer string, vocab int) error {
	switch {
	case config == "":
		return errors.New("--config is missing: name a config.json that gives the shape of the model")
	case len(r.Dataset) == 0:
		return errors.New("--dataset is missing: name a file of text")
	case r.Model != "":
		return errors.New("--model has no place here: pretrain makes a new model; `hone sft --train_type full` goes on with one")
	case r.Given("train_type") && r.TrainType != "full":
		return fmt.Errorf("--train_type %s has no place here: pretrain trains all weights", r.TrainType)
	}
	r.TrainType = "full"
	if !r.Given("learning_rate") {
		r.LearningRate = 1e-3
	}
	r.Model = filepath.Join(r.OutputDir, "start")
	// A run can only be resumed while the model that it started from is there.
	if _, err := os.Stat(filepath.Join(r.Model, "model.safetensors")); err == nil {
		return fmt.Errorf("%s holds the start of another pre-training; name another --output_dir, or go on with that one: --resume_from_checkpoint", r.Model)
	}
	return run.NewModel(r.Model, config, tokenizer, r.Dataset, vocab, uint64(r.Seed))
}
