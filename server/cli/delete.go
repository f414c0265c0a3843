package cli

import (
	"fmt"
	"net/http"

	"hone/core/run"
	"hone/core/wire"
)

func init() {
	register(command{name: "delete", args: "ID --remote URL", short: "Delete a run on a server that is over: State, adapter and log", run: deleteRun})
}

func deleteRun(e env, args []string) error {
	var r remote
	id, help, err := r.oneRun(e, args, "delete")
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
	if !x.Finished && x.Status != "stopped" && x.Status != "failed" {
		return fmt.Errorf("run %s is %s; `%s stop %s --remote %s` ends it first", id, x.Status, self(), id, r.url)
	}
	left, err := wire.Ask[wire.Storage](e.ctx, &r, wire.Delete{Path: "runs/" + id}, nil)
	if wire.StatusOf(err) == http.StatusNotFound { // it was there just now: the link broke before the reply, and asked again
		var h wire.Host
		h, err = wire.Ask[wire.Host](e.ctx, &r, wire.Hello{}, nil)
		left = h.Storage
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(e.out, "run %s is deleted, %s are free; you have %s on this server", id, run.Size(x.Bytes), run.Size(left.Used))
	if left.Quota > 0 {
		fmt.Fprintf(e.out, " and may have %s", run.Size(left.Quota))
	}
	fmt.Fprintln(e.out)
	return nil
}
