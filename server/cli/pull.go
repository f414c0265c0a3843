package cli

import (
	"fmt"

	"hone/core/recipe"
)

func init() {
	register(command{name: "pull", args: "ID --remote URL", short: "Bring a run from a server here: adapter, checkpoints, log", run: pull})
}

func pull(e env, args []string) error {
	var r remote
	dir, format := "output", "auto"
	id, help, err := r.oneRun(e, args, "pull", outputFlags(&dir, &format)...)
	if err != nil || help {
		return err
	}
	if err := r.connect(e); err != nil {
		return err
	}
	defer r.Close()
	x, err := r.find(e.ctx, id)
	if err != nil {
		return err
	}
	at, step, err := r.pull(e, id, dir, format)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.out, "run %s, step %d, is in %s\n", id, step, near(at))
	switch {
	case x.Status == "queued" || x.Status == "running" || x.Status == "paused":
		fmt.Fprintf(e.out, "it is %s on the server and goes on there; `%s stop %s` ends it\n", x.Status, self(), id)
	case !x.Finished:
		fmt.Fprintf(e.out, "go on with it here:\n  %s sft --resume_from_checkpoint %s\n", self(), recipe.ShellWord(near(at)))
	}
	return nil
}
