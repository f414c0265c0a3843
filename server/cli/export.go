package cli

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"hone/core/checkpoint"
	"hone/core/gguf"
	"hone/core/recipe"
	"hone/core/run"
)

func init() {
	register(command{name: "export", args: "--run latest|DIR [--output_dir DIR] [--gguf TYPE,…]", short: "Make a model that stands by itself: merged weights, GGUF files", run: export})
}

func export(e env, args []string) error {
	var where, model, adapter, dtype, types, shard string
	device := "auto"
	x := run.Exporter{Rows: 8}
	usage := "export --run latest|DIR [--output_dir DIR] [--gguf TYPE,…] [flags]\n       hone export --model DIR [--adapter DIR] --output_dir DIR [flags]\n\n" +
		"The adapter is merged into the base's own weights, or with --merge_dequantised into what QLoRA trained against. The directory\ngets weights, tokenizer, chat template, a model card, and GGUF files with a Modelfile for Ollama where they are asked for."
	set := func(p *bool) func(string) error {
		return func(v string) (err error) { *p, err = strconv.ParseBool(v); return err }
	}
	_, help, err := e.parse(args, []recipe.Flag{
		runFlag(&where),
		{Name: "model", Value: "DIR|NAME", Help: "the base model; with --run, in the place of the run's own", Set: text(&model)},
		{Name: "adapter", Aliases: []string{"adapters", "tuned"}, Value: "DIR", Help: "the adapter, or the checkpoint of a full fine-tuning", Set: text(&adapter)},
		{Name: "output_dir", Value: "DIR", Help: "directory to make; with --run the default is merged-<step> in the run's own", Set: text(&x.Output)},
		{Name: "merge_dequantised", Aliases: []string{"merge_dequantized"}, Bool: true, Default: "false", Help: "merge into the base's weights after 4 bits and back, as QLoRA trained; otherwise into the original ones", Set: set(&x.Dequantised)},
		{Name: "dtype", Aliases: []string{"torch_dtype"}, Value: "TYPE", Default: "the base's own", Help: "of the merged weights: float32, float16 or bfloat16", Set: text(&dtype)},
		{Name: "max_shard_size", Value: "SIZE", Default: "5GB", Help: "bytes of weights a file holds at most", Set: text(&shard)},
		{Name: "gguf", Aliases: []string{"to_gguf"}, Value: "TYPE,…", Help: "write GGUF files too: F16, Q8_0, Q4_0, BF16 or F32", Set: text(&types)},
		{Name: "check_rows", Value: "N", Default: strconv.Itoa(x.Rows), Unit: "rows", Help: "compare the logits with those of the trained model on so many held-out rows; 0: do not", Set: count(&x.Rows)},
		{Name: "quantised", Aliases: []string{"load_in_4bit"}, Bool: true, Default: "as the run was", Help: "the adapter was trained on the base in NF4", Set: set(&x.Quantised)},
		{Name: "device", Value: "NAME", Default: "auto", Help: "where to compute the comparison", Set: text(&device)},
	}, usage)
	if err != nil || help {
		return err
	}
	if where == "" && model == "" {
		return fmt.Errorf("usage: hone %s", usage)
	}
	tuned, err := findTuned(e, where, model, adapter)
	if err != nil {
		return err
	}
	x.Base, x.Tuned, x.Quantised = tuned.Model, tuned.Result, x.Quantised || tuned.Quantised
	if where != "" {
		x.Run = &tuned
		if x.Output == "" {
			x.Output = filepath.Join(tuned.Run.Dir, fmt.Sprintf("merged-%d", tuned.Step))
		}
	}
	if err := exportForm(&x, dtype, shard, types); err != nil {
		return err
	}
	dev, err := openDevice(e, device, 0, "auto")
	if err != nil {
		return err
	}
	defer dev.Close()
	made, err := x.Write(e.ctx, dev, func(what string) { fmt.Fprintf(e.out, "%s …\n", what) })
	if err != nil {
		return err
	}
	showExport(e, made)
	if x.Quantised && !x.Dequantised && x.Tuned != "" {
		fmt.Fprintln(e.out, "the adapter was trained on the base in 4 bits and is merged into the original weights; --merge_dequantised merges into those it was trained on")
	}
	return nil
}

// exportForm reads how the weights are to be written.
func exportForm(x *run.Exporter, dtype, shard, types string) error {
	if x.Output == "" {
		return fmt.Errorf("--output_dir is missing: name the directory to make")
	}
	size := recipe.Bytes(5e9)
	var err error
	if shard != "" {
		if size, err = recipe.ParseBytes(shard); err != nil {
			return fmt.Errorf("--max_shard_size %s: %w", shard, err)
		}
	}
	x.MaxShard = int64(size)
	if dtype != "" {
		if x.DType, err = checkpoint.ParseDType(dtype); err != nil {
			return fmt.Errorf("--dtype %s: %w", dtype, err)
		}
	}
	if types == "" {
		return nil
	}
	for _, name := range strings.Split(types, ",") {
		t, err := gguf.ParseType(strings.ToUpper(strings.TrimSpace(name)))
		if err != nil {
			return fmt.Errorf("--gguf: %w", err)
		}
		x.GGUF = append(x.GGUF, t)
	}
	return nil
}

// showExport says what was made and how far it is from what was trained.
func showExport(e env, made run.Exported) {
	if d := made.Difference; d != nil {
		rows := "rows of made-up tokens"
		switch {
		case d.HeldOut:
			rows = "held-out rows"
		case d.FromRun:
			rows = "rows of the training data (none were held out)"
		}
		fmt.Fprintf(e.out, "largest logit difference from the trained model: %.3g over %d tokens of %d %s (its logits span %.3g); same most probable token at %.1f%% of the positions\n",
			d.Largest, d.Tokens, d.Rows, rows, d.Range, 100*d.Agreeing)
	}
	for _, f := range made.Files {
		fmt.Fprintf(e.out, "%s: %s, read back and compared; no weight is off by more than %.2g of its tensor's largest\n", near(f.Path), run.Size(f.Bytes), f.LargestError)
	}
	fmt.Fprintf(e.out, "%s\n", near(made.Directory))
	if len(made.Files) > 0 {
		fmt.Fprintf(e.out, "for Ollama:\n  ollama create my-model -f %s\n", recipe.ShellWord(filepath.Join(near(made.Directory), "Modelfile")))
	}
}
