package cli

import (
	"fmt"
	"path/filepath"
	"strconv"
	"sync"

	"hone/core/checkpoint"
	"hone/core/move"
	"hone/core/recipe"
)

func init() {
	register(command{name: "move", args: "RUN --remote URL", short: "Let a run of this machine go on, from its last State, on a server", run: moveUp})
}

func moveUp(e env, args []string) error {
	var r remote
	format, detach := "auto", false
	positional, help, err := e.parse(args, append(r.flags(), r.priorityFlag(),
		recipe.Flag{Name: "log_format", Value: "auto|plain|json", Default: format, Help: "how the run is shown while it goes on there", Set: text(&format)},
		recipe.Flag{Name: "detach", Bool: true, Default: "false", Help: "do not wait for its end", Set: func(v string) (err error) { detach, err = strconv.ParseBool(v); return err }},
	), "move RUN --remote URL [flags]\n\nRUN is a run directory of this machine on which nobody works now. Its State, its log and what its recipe names go to the\nserver, as far as they are not there; it goes on with the next step. `hone pull` brings it back.")
	if err != nil || help {
		return err
	}
	if len(positional) != 1 {
		return fmt.Errorf("usage: hone move RUN --remote URL")
	}
	local, err := checkpoint.RunOf(positional[0])
	if err != nil {
		return err
	}
	release, err := local.Lock()
	if err != nil {
		return fmt.Errorf("moving %s: %w", positional[0], err)
	}
	release = sync.OnceFunc(release)
	defer release()
	load, err := move.GatherRun(positional[0])
	if err != nil {
		return err
	}
	if err := r.connect(e); err != nil {
		return err
	}
	defer r.Close()
	id, err := r.submit(e, load, format)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.out, "run %s goes on after step %d on %s\n", id, load.From.Step, r.url)
	if detach {
		fmt.Fprintf(e.out, "see it with\n  %s attach %s --remote %s\n", self(), id, r.url)
		return nil
	}
	r.Follow(id, 1)
	release() // its result is brought to the same place
	return r.see(e, id, filepath.Dir(filepath.Dir(local.Dir)), format)
}
