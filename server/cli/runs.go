package cli

import (
	"fmt"
	"strconv"
	"text/tabwriter"

	"hone/core/recipe"
	"hone/core/run"
	"hone/core/wire"
)

func init() {
	register(command{name: "runs", args: "--remote URL", short: "List your runs on a server", run: runs})
}

func runs(e env, args []string) error {
	var r remote
	asJSON := false
	positional, help, err := e.parse(args, append(r.flags(), recipe.Flag{Name: "json", Bool: true, Default: "false", Help: "as JSON, for programs",
		Set: func(v string) (err error) { asJSON, err = strconv.ParseBool(v); return err }}), "runs --remote URL")
	if err != nil || help {
		return err
	}
	if len(positional) > 0 {
		return fmt.Errorf("runs: %q is not understood; it takes flags alone", positional[0])
	}
	if err := r.connect(e); err != nil {
		return err
	}
	defer r.Close()
	host, err := wire.Ask[wire.Host](e.ctx, &r, wire.Hello{}, nil)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(e, host.Runs)
	}
	fmt.Fprintf(e.out, "%s: %s\n", r.url, host.Device)
	if host.Reason != "" {
		fmt.Fprintln(e.out, host.Reason)
	}
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tSTATUS\tSTEP\tLOSS\tSIZE\tWHY")
	for _, x := range host.Runs {
		steps := strconv.Itoa(x.Step)
		if x.Steps > 0 {
			steps += "/" + strconv.Itoa(x.Steps)
		}
		loss := ""
		if x.Loss != 0 {
			loss = fmt.Sprintf("%.4f", x.Loss)
		}
		why := ""
		if x.Status == "failed" || x.Status == "queued" || x.Status == "paused" {
			why = x.Reason
		}
		status := x.Status
		if x.Priority != "" {
			status += ", " + x.Priority
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", x.ID, status, steps, loss, run.Size(x.Bytes), why)
	}
	if err := w.Flush(); err != nil || host.More == 0 {
		return err
	}
	_, err = fmt.Fprintf(e.out, "… and %d more that the list has no room for; delete runs that you no longer need\n", host.More)
	return err
}
