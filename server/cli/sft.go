package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hone/core/bundle"
	"hone/core/hub"
	"hone/core/recipe"
	"hone/core/run"
)

func init() {
	register(command{name: "sft", args: "--model DIR --dataset FILE[,FILE…] [flags]", short: "Fine-tune a model: LoRA, QLoRA or all weights", run: sft})
}

// parseRecipe reads the flags of a run.
func parseRecipe(e env, args []string, usage string, extra ...recipe.Flag) (r recipe.Recipe, help bool, err error) {
	r, err = recipe.Parse(args, extra...)
	if errors.Is(err, recipe.ErrHelp) {
		fmt.Fprintln(e.out, "Usage: hone "+usage)
		return r, true, recipe.Help(e.out, extra...)
	}
	for _, note := range r.Notes() {
		fmt.Fprintln(e.err, "note: "+note)
	}
	if err == nil {
		err = comesWith(&r)
	}
	return r, false, err
}

// comesWith puts what comes with the program in the place of the names that the page has for it: bundle/model, bundle/world.json.
func comesWith(r *recipe.Recipe) error {
	names := []*string{&r.Model}
	for _, list := range []*[]string{&r.Dataset, &r.ValDataset} {
		*list = slices.Clone(*list)
		for i := range *list {
			names = append(names, &(*list)[i])
		}
	}
	for _, name := range names {
		inside, ours := strings.CutPrefix(*name, "bundle/")
		file, _, _ := strings.Cut(inside, "#") // none of its names has one
		if !ours || !bundle.Has(file) {
			continue
		}
		if _, err := os.Stat("bundle/" + file); err == nil { // the user has one of this name
			continue
		}
		home, err := hub.Home()
		if err != nil {
			return err
		}
		dir, err := bundle.Keep(filepath.Join(home, "bundle"))
		if err != nil {
			return err
		}
		*name = filepath.Join(dir, inside)
	}
	return nil
}

func sft(e env, args []string) error {
	rows := 0
	extra := recipe.Flag{Name: "preview", Group: "Looking first", Value: "N", Unit: "rows", Help: "show so many rows as the model sees them, what is not learnt dimmed or outside of ⟦ ⟧, and train nothing",
		Set: func(v string) (err error) {
			if rows, err = strconv.Atoi(v); err != nil || rows < 1 {
				return fmt.Errorf("--preview %s: a number of rows is wanted, at least 1", strconv.Quote(v))
			}
			return nil
		}}
	var server remote
	r, help, err := parseRecipe(e, args, "sft --model DIR --dataset FILE[,FILE…] --train_type lora|qlora|full [flags]", append(server.flags(), server.priorityFlag(), extra)...)
	if err != nil || help {
		return err
	}
	if rows > 0 {
		return preview(e, r, rows)
	}
	if server.url != "" {
		return sftRemote(e, &server, r)
	}
	if server.priority != "" {
		return errors.New("--priority is that of a run on a server: --remote is missing")
	}
	_, err = trainRecipe(e, "sft", r)
	return err
}

// trainRecipe runs a recipe and shows how it goes.
func trainRecipe(e env, command string, r recipe.Recipe) (run.Result, error) {
	dev, err := openDevice(e, r.Device, int64(r.DeviceMemory), r.KernelVariant)
	if err != nil {
		return run.Result{}, err
	}
	defer dev.Close()
	result, err := run.Start(e.ctx, r, dev, newProgress(e.out, r.LogFormat).show)
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(e.err, "interrupted before the first step; nothing was written")
		err = errInterrupted
	}
	if err == nil && result.Interrupted {
		fmt.Fprintf(e.err, "interrupted; go on with:\n  %s %s --resume_from_checkpoint %s\n", self(), command, recipe.ShellWord(result.Run))
		err = errInterrupted
	}
	if lost := (*run.Lost)(nil); errors.As(err, &lost) && lost.Directory != "" {
		err = fmt.Errorf("%w; go on with:\n  %s %s --resume_from_checkpoint %s", err, self(), command, recipe.ShellWord(lost.Run))
	}
	return result, err
}

// near writes a path as it is seen from the working directory, where that is shorter and does not lead out of it.
func near(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}
