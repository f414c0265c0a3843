package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hone/core/link"
	"hone/core/move"
	"hone/core/recipe"
	"hone/core/run"
	"hone/core/wire"
)

// remote is a server that runs are done on.
type remote struct {
	url, token, file string
	priority         string // of runs that are sent there
	events           chan wire.Frame
	seen             chan struct{} // closed when nobody takes events any more
	*link.Client
}

// flags say where it is and who one is.
func (r *remote) flags() []recipe.Flag {
	return []recipe.Flag{
		{Name: "remote", Group: "On a server", Value: "URL", Default: "HONE_REMOTE", Help: "the server, such as https://gpu.example:8443", Set: text(&r.url)},
		{Name: "token", Value: "TOKEN", Default: "HONE_TOKEN", Help: "the token that the server's owner gave you; HONE_TOKEN and --token_file keep it out of the list of processes", Set: text(&r.token)},
		{Name: "token_file", Value: "FILE", Help: "a file that holds the token", Set: text(&r.file)},
	}
}

// priorities are those of runs, as the command line calls them.
var priorities = map[string]int{"first": wire.First, "normal": wire.Usual, "last": wire.Last}

// priorityFlag is that of commands that send a run.
func (r *remote) priorityFlag() recipe.Flag {
	return recipe.Flag{Name: "priority", Value: "first|normal|last", Default: "normal", Help: "when a run on a server is done: before all others, which takes a token of scope admin, in its turn, or when nothing else waits",
		Set: func(v string) error {
			if _, ok := priorities[v]; !ok {
				return errors.New("there are first, normal and last")
			}
			r.priority = v
			return nil
		}}
}

// connect finds the server and logs in.
func (r *remote) connect(e env) error {
	if r.url == "" {
		r.url = os.Getenv("HONE_REMOTE")
	}
	if r.url == "" {
		return errors.New("--remote is missing: which server? HONE_REMOTE names it once and for all")
	}
	switch {
	case r.token != "":
	case r.file != "":
		raw, err := os.ReadFile(r.file)
		if err != nil {
			return fmt.Errorf("--token_file: %w", err)
		}
		r.token = strings.TrimSpace(string(raw))
	default:
		r.token = os.Getenv("HONE_TOKEN")
	}
	r.events, r.seen = make(chan wire.Frame, 4096), make(chan struct{})
	ctx, cancel := context.WithTimeout(e.ctx, 30*time.Second)
	defer cancel()
	var err error
	away := false
	r.Client, err = link.Dial(ctx, link.Options{URL: r.url, Token: r.token, Named: true,
		Event: func(f wire.Frame) {
			select {
			case r.events <- f:
			case <-r.seen:
			case <-e.ctx.Done():
			}
		},
		State: func(s link.State) {
			switch {
			case s.Connected && away:
				away = false
				fmt.Fprintln(e.err, "the server is reached again")
			case !s.Connected && !away:
				away = true
				if r.Client != nil { // the first word is Dial's own
					fmt.Fprintf(e.err, "%v; the run goes on there, and this is tried again\n", s.Err)
				}
			}
		}})
	if err != nil {
		return fmt.Errorf("--remote %s: %w", r.url, err)
	}
	return nil
}

func (r *remote) files() link.Files { return link.Files{URL: r.url, Token: r.token} }

// submit shows what will leave this machine, sends it, and starts.
func (r *remote) submit(e env, l *move.Load, format string) (string, error) {
	w := r.Welcome()
	fmt.Fprintf(e.err, "to %s as %s: %d files, %s; what is there already is not sent again\n", r.url, w.User, l.Count(), run.Size(l.Bytes()))
	if err := l.Send(e.ctx, r.files(), transfer(e, format, "sending")); err != nil {
		return "", err
	}
	start, err := l.Start(rand.Text(), priorities[cmp.Or(r.priority, "normal")])
	if err != nil {
		return "", err
	}
	name, err := move.Begin(e.ctx, r, start, 30*time.Second)
	if move.Unsure(err) {
		err = fmt.Errorf("%w (it may have begun the run: `%s runs --remote %s` says so)", err, self(), r.url)
	}
	return name.Run, err
}

// transfer draws how files travel, on a terminal.
func transfer(e env, format, what string) func(move.Progress) {
	if format == "json" || !isTerminal(e.err) {
		return nil
	}
	return func(p move.Progress) {
		fmt.Fprintf(e.err, "\r\x1b[K%s %s  %s of %s", what, p.File, run.Size(p.Done), run.Size(p.Total))
		if p.Done >= p.Total {
			fmt.Fprintln(e.err)
		}
	}
}

// watch shows a run until it is over and gives the event that ends it.
func (r *remote) watch(e env, id, format string) (wire.Event, error) {
	defer close(r.seen)
	p := newProgress(e.out, format)
	best := 0.0
	var end wire.Event // the last one; a run that was resumed has one in its past
	var over chan bool // whether the run is over, while that is asked: events are taken meanwhile, for the answer comes behind them
	again := false     // another end has come since it was asked
	ask := func() {
		answer := make(chan bool, 1)
		over, again = answer, false
		go func() { answer <- r.over(e, id) }()
	}
	for {
		var f wire.Frame
		select {
		case f = <-r.events:
		case yes := <-over:
			if yes {
				return end, nil
			}
			if over = nil; again {
				ask()
			}
			continue
		case <-e.ctx.Done():
			fmt.Fprintf(e.err, "the run goes on there; see it with\n  %s attach %s --remote %s\nor end it with\n  %s stop %s --remote %s\n", self(), id, r.url, self(), id, r.url)
			return nil, errInterrupted
		}
		if f.Run != id {
			continue
		}
		event, err := wire.ParseEvent(f.Name, f.Data)
		if err != nil {
			fmt.Fprintln(e.err, err) // of a newer server; the run is none the worse for it
			continue
		}
		switch x := event.(type) {
		case wire.Evaluated:
			if x.Best = best == 0 || x.EvalLoss < best; x.Best {
				best = x.EvalLoss
			}
			event = x
		case wire.Finished, wire.Failed:
			if end, again = event, true; over == nil {
				ask()
			}
			continue
		}
		p.show(event)
	}
}

// over reports whether a run has come to its end now.
func (r *remote) over(e env, id string) bool {
	x, err := r.find(e.ctx, id)
	return err != nil || x.Status != "queued" && x.Status != "running" && x.Status != "paused"
}

// find asks for a run by its id.
func (r *remote) find(ctx context.Context, id string) (wire.Run, error) {
	x, err := wire.AskRun(ctx, r, id)
	if wire.StatusOf(err) == http.StatusNotFound {
		err = fmt.Errorf("there is no run %s of yours on %s; `%s runs` lists them", id, r.url, self())
	}
	return x, err
}

// see shows a run to its end and brings the result here.
func (r *remote) see(e env, id, outputDir, format string) error {
	end, err := r.watch(e, id, format)
	if err != nil {
		return err
	}
	failed, bad := end.(wire.Failed)
	if bad && failed.Step == 0 {
		return fmt.Errorf("the run failed: %s", failed.Reason)
	}
	dir, step, err := r.pull(e, id, outputDir, format)
	if err != nil {
		return err
	}
	if bad {
		return fmt.Errorf("the run failed: %s; step %d is in %s", failed.Reason, step, near(dir))
	}
	f := end.(wire.Finished)
	here := near(dir)
	if at, ok := strings.CutPrefix(f.Directory, "runs/"+id); ok {
		f.Directory = here + filepath.FromSlash(at)
	} else {
		f.Directory = filepath.Join(here, fmt.Sprintf("checkpoint-%d", step))
	}
	newProgress(e.out, format).show(f)
	return nil
}

func (r *remote) pull(e env, id, outputDir, format string) (string, int, error) {
	return move.Pull(e.ctx, r, r.files(), id, outputDir, transfer(e, format, "bringing"))
}

// sftRemote does a recipe on a server, with what it names.
func sftRemote(e env, r *remote, rec recipe.Recipe) error {
	if rec.ResumeFromCheckpoint != "" {
		return fmt.Errorf("--resume_from_checkpoint with --remote: `%s move %s --remote %s` lets a run of this machine go on there", self(), rec.ResumeFromCheckpoint, r.url)
	}
	load, err := move.Gather(rec)
	if err != nil {
		return err
	}
	if err := r.connect(e); err != nil {
		return err
	}
	defer r.Close()
	id, err := r.submit(e, load, rec.LogFormat)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.err, "run %s\n", id)
	r.Follow(id, 1)
	return r.see(e, id, load.Recipe.OutputDir, rec.LogFormat)
}

// printJSON is for programs.
func printJSON(e env, v any) error {
	enc := json.NewEncoder(e.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
