package cli

import (
	"errors"
	"fmt"

	"hone/core/recipe"
	"hone/core/run"
)

// runFlag names the run whose base and result a command uses.
func runFlag(where *string) recipe.Flag {
	return recipe.Flag{Name: "run", Value: "latest|DIR", Help: "the run whose base and result to use: the newest below this directory, a run directory, one of its checkpoints, or a directory of runs", Set: text(where)}
}

// findTuned finds base and result: those of a run, where one is named, or by path or name. Another base may be named beside
// a run.
func findTuned(e env, where, model, adapter string) (t run.Tuned, err error) {
	show := newProgress(e.err, "auto").show
	if where != "" {
		if adapter != "" {
			return t, errors.New("--run brings its own adapter; leave out --run or --adapter")
		}
		t, err = run.FindTuned(e.ctx, where, model, show)
		switch {
		case err == nil:
			fmt.Fprintf(e.err, "run %s, step %d, on %s\n", near(t.Run.Dir), t.Step, near(t.Model))
		case errors.Is(err, run.ErrNoBase):
			err = fmt.Errorf("%w; --model names it", err)
		}
		return t, err
	}
	if model != "" {
		if t.Model, err = run.ModelDir(e.ctx, model, show); err != nil {
			return t, err
		}
	}
	if adapter != "" {
		t.Result, err = run.AdapterDir(e.ctx, adapter, show)
	}
	return t, err
}
