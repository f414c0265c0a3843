package cli

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"hone/core/link"
	"hone/core/move"
	"hone/core/wire"
)

// A server that is told to end saves the run under way, says goodbye with status 0, and soon. Started again, it goes on with the very
// next step: nothing is done twice, although no State was due.
func TestServerEndsAndGoesOn(t *testing.T) {
	const steps, at = 30, 10
	home := t.TempDir()
	if out, status := finish(t, process(t, home, sample(steps, "--output_dir", "whole")...)); status != 0 {
		t.Fatal(out)
	}
	s := startService(t, t.TempDir(), "--save_every", "1h")
	g := visit(t, s.url, steps, "--save_steps", "1000")
	id := g.start()
	g.follow(id, steps, 2*time.Minute, func(step int) {
		if step != at {
			return
		}
		began, workers := time.Now(), s.workers()
		s.cmd.Process.Signal(syscall.SIGTERM)
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("it ends with %v\n%s", err, s.log)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it takes %v to end", took)
		}
		if len(workers) != 1 || syscall.Kill(workers[0], 0) == nil {
			t.Errorf("of the workers %v not all have ended", workers)
		}
		s.start()
	})
	told, err := wire.Ask[wire.Told](t.Context(), g, wire.Replay{Run: id}, nil)
	if err != nil {
		t.Fatal(err)
	}
	last, goesOn := 0, 0
	for _, f := range told.Events {
		e, err := wire.ParseEvent(f.Name, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		switch e := e.(type) {
		case wire.Stepped:
			last = e.Step
		case wire.Queued:
			if e.Step != last {
				t.Errorf("it is saved at step %d, and step %d was told", e.Step, last)
			}
		case wire.Started:
			if goesOn = e.StartStep; goesOn != last {
				t.Errorf("it goes on after step %d, and step %d was told", goesOn, last)
			}
		}
	}
	if goesOn < at || goesOn >= steps {
		t.Errorf("it went on after step %d", goesOn)
	}
	dir, step, err := move.Pull(t.Context(), g, link.Files{URL: s.url}, id, filepath.Join(home, "remote"), nil)
	if err != nil || step != steps {
		t.Fatalf("step %d, %v", step, err)
	}
	sameResult(t, onlyRun(t, filepath.Join(home, "whole")), dir, steps)
	t.Logf("it went on after step %d", goesOn)
}
