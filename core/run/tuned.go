package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"hone/core/checkpoint"
	"hone/core/recipe"
	"hone/core/wire"
)

// Tuned is what a run has left, with all that is needed to use it.
type Tuned struct {
	Run       checkpoint.Run
	Step      int
	Recipe    recipe.Recipe // as the run recorded it
	Model     string        // directory of the base
	Result    string        // the adapter, or the checkpoint of a full fine-tuning
	Quantised bool          // the run trained on the base in 4 bits
}

// ErrNoBase says that the model which a run tuned is neither where it was nor on a hub.
var ErrNoBase = errors.New("its base is not to be had any more")

// FindTuned finds a run by where: "latest" for the newest one below the working directory; a run directory; one of its
// checkpoints; or a directory with runs in it, output_dir or output_dir/<model>, of which the newest is taken. Of a run it takes
// the best checkpoint where load_best_model_at_end asked for it, otherwise the last. The base is model, by its path or name;
// empty: where the run had it from. One that was named by its id and has gone from the cache is downloaded again.
func FindTuned(ctx context.Context, where, model string, sink func(wire.Event)) (Tuned, error) {
	run, c, err := findRun(where)
	if err != nil {
		return Tuned{}, err
	}
	raw, err := run.ReadArgs()
	if err != nil {
		return Tuned{}, err
	}
	t := Tuned{Run: run, Step: c.Step, Result: c.Dir}
	if t.Recipe, err = recipe.FromJSON(raw); err != nil {
		return Tuned{}, fmt.Errorf("%s: %w", filepath.Join(run.Dir, checkpoint.ArgsFile), err)
	}
	t.Quantised = t.Recipe.TrainType == "qlora"
	if model != "" {
		t.Model, err = ModelDir(ctx, model, sink)
		return t, err
	}
	m, err := run.ReadManifest()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Tuned{}, err
	}
	j := &Job{Recipe: t.Recipe, from: c.Dir}
	if err := j.locate(ctx, resumption{sources: m.Sources}, sink); err != nil {
		return Tuned{}, fmt.Errorf("run %s: %w: %w", run.Dir, ErrNoBase, err)
	}
	t.Model = j.Recipe.Model
	return t, nil
}

// findRun finds the run and the checkpoint that a word or path means. It changes nothing on the disk: the run may be at work.
func findRun(where string) (checkpoint.Run, checkpoint.Checkpoint, error) {
	fail := func(format string, args ...any) (checkpoint.Run, checkpoint.Checkpoint, error) {
		return checkpoint.Run{}, checkpoint.Checkpoint{}, fmt.Errorf("run "+format, args...)
	}
	if where == "latest" {
		run, ok := newest(".", 3)
		if !ok {
			return fail("latest: there is no run with a checkpoint below this directory; start it where the run was started, or name it: --run DIR")
		}
		return result(run)
	}
	if st, err := os.Stat(where); err != nil || !st.IsDir() {
		return fail("%s: there is no such directory; --run latest finds the newest run below this one", where)
	}
	run, err := checkpoint.RunOf(where)
	if err != nil {
		return checkpoint.Run{}, checkpoint.Checkpoint{}, err
	}
	if abs, err := filepath.Abs(where); err == nil && abs != run.Dir { // a checkpoint
		all, err := run.Checkpoints()
		if err != nil {
			return fail("%s: %w", where, err)
		}
		for _, c := range all {
			if c.Dir == abs {
				return run, c, nil
			}
		}
		return fail("%s: it is no whole checkpoint", where)
	}
	if _, err := os.Stat(filepath.Join(run.Dir, checkpoint.ArgsFile)); err == nil {
		return result(run)
	}
	if run, ok := newest(run.Dir, 2); ok {
		return result(run)
	}
	return fail("%s: neither it nor a directory in it is a run with a checkpoint", where)
}

// result is the checkpoint of a run that is to be used.
func result(run checkpoint.Run) (checkpoint.Run, checkpoint.Checkpoint, error) {
	all, err := run.Checkpoints()
	if err != nil {
		return run, checkpoint.Checkpoint{}, err
	}
	if len(all) == 0 {
		return run, checkpoint.Checkpoint{}, fmt.Errorf("run %s has no checkpoint yet", run.Dir)
	}
	last := all[len(all)-1]
	raw, err := run.ReadArgs()
	if err != nil {
		return run, last, err
	}
	if r, err := recipe.FromJSON(raw); err != nil || !r.LoadBestModelAtEnd {
		return run, last, nil // a recipe that cannot be read is complained about by who needs it
	}
	state, err := checkpoint.Load(last.Dir)
	if err != nil {
		return run, last, err
	}
	for _, c := range all {
		if c.Step == state.BestStep && state.BestMetric != nil {
			return run, c, nil
		}
	}
	return run, last, nil
}

// newest is the run with a checkpoint, at most depth directories below dir, that was started last.
func newest(dir string, depth int) (checkpoint.Run, bool) {
	type found struct {
		dir, started string
		number       int
	}
	var runs []found
	pattern := "v*"
	for range depth {
		paths := checkpoint.Glob(dir, pattern)
		pattern = "*/" + pattern
		for _, p := range paths {
			n, started, ok := checkpoint.ParseName(filepath.Base(p))
			if !ok {
				continue
			}
			if _, err := os.Stat(filepath.Join(p, checkpoint.ArgsFile)); err != nil {
				continue
			}
			if all, err := (checkpoint.Run{Dir: p}).Checkpoints(); err != nil || len(all) == 0 {
				continue
			}
			runs = append(runs, found{p, started, n})
		}
	}
	if len(runs) == 0 {
		return checkpoint.Run{}, false
	}
	last := slices.MaxFunc(runs, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.started, b.started), cmp.Compare(a.number, b.number), cmp.Compare(a.dir, b.dir))
	})
	abs, err := filepath.Abs(last.dir)
	return checkpoint.Run{Dir: abs}, err == nil
}
