package cli

import (
	"fmt"
	"os"

	"hone/core/checkpoint"
	"hone/core/recipe"
	"hone/core/tensor"
)

func init() {
	register(command{name: "init", args: "--config config.json --seed N DIR", short: "Write a random model of any supported shape", run: initModel})
}

func initModel(e env, args []string) error {
	config, seed, form := "", uint64(0), checkpoint.InitForm{DType: tensor.F32}
	dir, help, err := e.parse(args, []recipe.Flag{
		{Name: "config", Value: "FILE", Help: "config.json of the model", Set: func(v string) error { config = v; return nil }},
		{Name: "seed", Value: "N", Default: "0", Help: "the weights follow from it", Set: whole(&seed)},
		{Name: "dtype", Aliases: []string{"torch_dtype"}, Value: "NAME", Default: "float32", Help: "float32, float16 or bfloat16", Set: func(v string) (err error) {
			form.DType, err = checkpoint.ParseDType(v)
			return err
		}},
		{Name: "max_shard_size", Value: "SIZE", Default: "one file", Help: "weights in a file at most, such as 500MB", Set: func(v string) error {
			size, err := recipe.ParseBytes(v)
			if err == nil && size < 1 {
				err = fmt.Errorf("a file cannot hold %s", v)
			}
			form.MaxShardSize = int64(size)
			return err
		}},
	}, "init --config config.json --seed N DIR")
	if err != nil || help {
		return err
	}
	if config == "" || len(dir) != 1 {
		return fmt.Errorf("usage: hone init --config config.json --seed N DIR")
	}
	raw, err := os.ReadFile(config)
	if err != nil {
		return fmt.Errorf("--config %s cannot be read: %w; it names the config.json that gives the model's shape", config, err)
	}
	if err := checkpoint.InitModelAs(dir[0], raw, seed, form); err != nil {
		return fmt.Errorf("init %s: %w", dir[0], err)
	}
	fmt.Fprintf(e.out, "random model written to %s\n", dir[0])
	return nil
}
