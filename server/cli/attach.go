package cli

import (
	"fmt"

	"hone/core/recipe"
)

func init() {
	register(command{name: "attach", args: "ID --remote URL", short: "Watch a run on a server from its beginning, and take its result", run: attach})
}

// oneRun parses the flags of a command for one run of a server.
func (r *remote) oneRun(e env, args []string, command string, more ...recipe.Flag) (id string, help bool, err error) {
	positional, help, err := e.parse(args, append(r.flags(), more...), command+" ID --remote URL [flags]\n\nID is as `hone runs` shows it: <model>/v<N>-<date>-<time>.")
	if err != nil || help {
		return "", help, err
	}
	if len(positional) != 1 {
		return "", false, fmt.Errorf("usage: hone %s ID --remote URL; `%s runs` lists the ids", command, self())
	}
	return positional[0], false, nil
}

// outputFlags are those of commands that bring a run here.
func outputFlags(dir, format *string) []recipe.Flag {
	return []recipe.Flag{
		{Name: "output_dir", Value: "DIR", Default: "output", Help: "the run comes to <output_dir>/<ID>", Set: text(dir)},
		{Name: "log_format", Value: "auto|plain|json", Default: "auto", Help: "auto shows a progress bar on a terminal and plain lines elsewhere", Set: text(format)},
	}
}

func attach(e env, args []string) error {
	var r remote
	dir, format := "output", "auto"
	id, help, err := r.oneRun(e, args, "attach", outputFlags(&dir, &format)...)
	if err != nil || help {
		return err
	}
	if err := r.connect(e); err != nil {
		return err
	}
	defer r.Close()
	if _, err := r.find(e.ctx, id); err != nil {
		return err
	}
	r.Follow(id, 1)
	return r.see(e, id, dir, format)
}
