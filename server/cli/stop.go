package cli

import (
	"fmt"
	"strings"
	"time"

	"hone/core/wire"
)

func init() {
	register(command{name: "stop", args: "ID --remote URL", short: "Save a run on a server and end it; it can be resumed", run: stop})
	register(command{name: "resume", args: "ID --remote URL", short: "Let a stopped or failed run on a server go on", run: resume})
}

func stop(e env, args []string) error {
	var r remote
	id, help, err := r.oneRun(e, args, "stop")
	if err != nil || help {
		return err
	}
	if err := r.connect(e); err != nil {
		return err
	}
	defer r.Close()
	if _, err := r.Ask(e.ctx, "steer", wire.Steer{Run: id, Do: "stop"}, nil); err != nil {
		return err
	}
	// Whoever works on it ends its step and stores the State.
	for said := false; ; said = true {
		x, err := r.find(e.ctx, id)
		if err != nil {
			return err
		}
		if x.Status != "queued" && x.Status != "running" && x.Status != "paused" {
			fmt.Fprintf(e.out, "run %s is %s at step %d\n", id, x.Status, x.Step)
			return nil
		}
		if !said {
			fmt.Fprintf(e.err, "it is %s; waiting until its State is stored\n", strings.ToLower(x.Status))
		}
		select {
		case <-e.ctx.Done():
			return errInterrupted
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func resume(e env, args []string) error {
	var r remote
	id, help, err := r.oneRun(e, args, "resume")
	if err != nil || help {
		return err
	}
	if err := r.connect(e); err != nil {
		return err
	}
	defer r.Close()
	if _, err := r.Ask(e.ctx, "resume", wire.Resume{Run: id}, nil); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "run %s waits for a worker; see it with\n  %s attach %s --remote %s\n", id, self(), id, r.url)
	return nil
}
