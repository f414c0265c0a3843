//go:build soak && linux

package cli

import (
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hone/core/link"
	"hone/core/move"
	"hone/core/wire"
	"hone/server/badnetwork"
)

// TestSoakServers kills workers and servers at many moments of one run, with several seeds.
func TestSoakServers(t *testing.T) {
	for seed := range uint64(3) {
		killService(t, seed, 20, 2000)
	}
}

// TestSoakEngine kills an engine of its own again and again.
func TestSoakEngine(t *testing.T) { killEngine(t, 7, 20, 300) }

// TestSoakNetwork has bad networks for a long run.
func TestSoakNetwork(t *testing.T) {
	for seed := range uint64(3) {
		throughBadNetwork(t, 10*seed, 500, time.Second)
	}
}

// TestSoakHundred gives 100 jobs to two workers with directories of their own: each is done, once.
func TestSoakHundred(t *testing.T) { hundred(t, 100) }

// hundred queues n jobs and looks at what became of them.
func hundred(t *testing.T, n int) {
	e := startEngine(t)
	s := startService(t, t.TempDir(), "--nats", e.url, "--workers", "0")
	g := visit(t, s.url, 3)
	ids := map[string]bool{}
	for range n {
		ids[g.start()] = true
	}
	if len(ids) != n {
		t.Fatalf("%d ids for %d runs", len(ids), n)
	}
	for range 2 {
		startWorker(t, e.url)
	}
	ends, begins := map[string]int{}, map[string]int{}
	deadline := time.After(20 * time.Minute)
	for over := 0; over < n; {
		select {
		case f := <-g.events:
			switch f.Name {
			case "started":
				begins[f.Run]++
			case "finished":
				ends[f.Run]++
				over++
			case "failed":
				t.Fatalf("%s: %s", f.Run, f.Data)
			}
		case <-deadline:
			t.Fatalf("%d of %d are over", len(ends), n)
		}
	}
	for id := range ids {
		if begins[id] != 1 || ends[id] != 1 {
			t.Errorf("%s was begun %d times and ended %d times", id, begins[id], ends[id])
		}
	}
	list, err := wire.Ask[wire.RunList](t.Context(), g, wire.Runs{}, nil)
	if err != nil || len(list.Runs) != n {
		t.Fatalf("%d runs, %v", len(list.Runs), err)
	}
	for _, r := range list.Runs {
		if !r.Finished || r.Attempts != 1 {
			t.Errorf("%+v", r)
		}
	}
}

// TestSoakPages keeps 200 links that do nothing and 50 that ask and listen, for ten minutes, while a run keeps every checkpoint: events
// are heard to the end, and the memory of server and worker is level.
func TestSoakPages(t *testing.T) { pages(t, 200, 50, 10*time.Minute) }

// pages lets links be for so long. After a fifth of the time, in which caches fill, the second half of the rest is compared with the
// first, for server and worker, by the median of samples taken every second:
//
//   - What the heap keeps after a collection, beside the engine's blocks, at most 2 MiB and a tenth more. This is what a leak adds to:
//     in ten minutes it shows one of 20 kB a second. What grows here by right is little: the engine remembers the events of the last
//     10 minutes, 200 bytes each, and the names of the files of all States.
//   - Goroutines, at most 50 more: requests come and go.
//   - The machine's memory (RSS), at most an eighth and 48 MiB more. The engine has the end of every stream in memory until a block
//     is full, which is 8 MiB for events and for files and 4 for records, and what it wrote in the last 10 seconds; at the pace of
//     this test a block takes minutes, so these rise and fall slowly, and Go's heap takes twice as much and gives it back late.
func pages(t *testing.T, idle, active int, long time.Duration) {
	dir := t.TempDir()
	t.Setenv(tellFigures, dir)
	s := startService(t, t.TempDir(), "--lease", "5s")
	g := visit(t, s.url, 1_000_000, "--save_steps", "50")
	var heard atomic.Int64
	dial := func(event func(wire.Frame)) *link.Client {
		c, err := link.Dial(t.Context(), link.Options{URL: s.url, Event: event})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	for range idle {
		dial(nil)
	}
	var all []*link.Client
	for range active {
		all = append(all, dial(func(wire.Frame) { heard.Add(1) }))
	}
	id := g.start()
	go func() {
		for range g.events { // its own are not looked at
		}
	}()
	commands := []string{"serve", "worker"}
	ask := func(long time.Duration) (of []figures) {
		samples := make([][]figures, len(commands))
		until := time.Now().Add(long)
		for next := time.Now(); time.Now().Before(until); {
			for _, c := range all {
				if _, err := wire.Ask[wire.RunList](t.Context(), c, wire.Runs{}, nil); err != nil {
					t.Fatal(err)
				}
			}
			if time.Now().After(next) {
				next = time.Now().Add(time.Second)
				for i, command := range commands {
					samples[i] = append(samples[i], readFigures(t, dir, command))
				}
			}
			time.Sleep(200 * time.Millisecond)
		}
		for _, list := range samples {
			of = append(of, median(list))
		}
		return of
	}
	ask(long / 5)
	first, events := ask(long*2/5), heard.Load()
	second := ask(long * 2 / 5)
	list, err := wire.Ask[wire.RunList](t.Context(), g, wire.Runs{}, nil)
	if err != nil || len(list.Runs) != 1 {
		t.Fatalf("%d runs, %v", len(list.Runs), err)
	}
	t.Logf("%d events heard, step %d, %d MiB of checkpoints", heard.Load(), list.Runs[0].Step, list.Runs[0].Bytes>>20)
	if heard.Load() <= events {
		t.Error("nothing was heard")
	}
	for i, command := range commands {
		was, is := first[i], second[i]
		t.Logf("%s: %v, then %v", command, was, is)
		if was.Kept <= 0 || is.Kept > was.Kept+was.Kept/10+2<<20 {
			t.Errorf("%s keeps more and more: %d bytes in its heap, then %d", command, was.Kept, is.Kept)
		}
		if is.Goroutines > was.Goroutines+50 {
			t.Errorf("%s has %d goroutines, then %d", command, was.Goroutines, is.Goroutines)
		}
		if was.resident <= 0 || is.resident > was.resident+was.resident/8+48<<20 {
			t.Errorf("%s takes %d MiB, then %d", command, was.resident>>20, is.resident>>20)
		}
	}
	if _, err := g.Ask(t.Context(), "steer", wire.Steer{Run: id, Do: "stop"}, nil); err != nil {
		t.Error(err)
	}
	if files, err := filepath.Glob(filepath.Join(s.dir, "data", "workers", "*", "work", "*")); err != nil || len(files) > 1 {
		t.Errorf("%v, %v", files, err)
	}
}

// All connections to the engine, the server's and the workers', end every 250 milliseconds: the run goes on in between, and misses nothing.
func TestBrokenEngine(t *testing.T) {
	const steps = 40
	home := t.TempDir()
	if out, status := finish(t, process(t, home, sample(steps, "--output_dir", "whole")...)); status != 0 {
		t.Fatal(out)
	}
	n := startEngine(t)
	engine := badnetwork.To(t, n.addr)
	through := "nats://secret@" + engine.Addr
	s := startService(t, t.TempDir(), "--nats", through, "--workers", "0", "--lease", "2s")
	g := visit(t, s.url, steps)
	for range 2 {
		startWorker(t, through, "--lease", "2s", "--save_every", "200ms", "--retries", "1000")
	}
	calm := engine.Break(250 * time.Millisecond)
	id := g.start()
	g.follow(id, steps, 3*time.Minute, nil)
	calm()
	if engine.Broken.Load() == 0 {
		t.Error("no connection has ended")
	}
	dir, step, err := move.Pull(t.Context(), g, link.Files{URL: s.url}, id, filepath.Join(home, "remote"), nil)
	if err != nil || step != steps {
		t.Fatalf("step %d, %v", step, err)
	}
	sameResult(t, onlyRun(t, filepath.Join(home, "whole")), dir, steps)
}

// TestSoakPagePauses pauses a page's run at a server. It gives its device back: other runs are done, and it stays one that its page can step, let
// go on and bring home, also when the server was killed meanwhile. Its losses are those of a run that stayed here.
func TestSoakPagePauses(t *testing.T) {
	const steps = 30
	s := startService(t, t.TempDir(), "--lease", "1s", "--keep_paused", "100ms")
	stay := openDesk(t, t.TempDir(), nil)
	whole := tell[wire.RunName](stay, wire.Start{Recipe: deskRecipe(steps)}).Run
	stay.until("finished", finished)
	d := openDesk(t, t.TempDir(), nil)
	id := tell[wire.RunName](d, wire.Start{Recipe: deskRecipe(steps)}).Run
	tell[any](d, wire.Steer{Run: id, Do: "pause"})
	d.until("paused here", func(name string, _ wire.Event) bool { return name == "paused" })
	tell[wire.RunName](d, wire.Move{Run: id, On: wire.Server{URL: s.url}})
	left := -1
	released := func(behind int) func(string, wire.Event) bool {
		return func(_ string, e wire.Event) bool {
			p, ok := e.(wire.Paused)
			if ok = ok && p.Released && p.Step > behind; ok {
				left = p.Step
			}
			return ok
		}
	}
	d.until("released", released(-1))
	s.kill(syscall.SIGKILL)
	s.start()
	if out, status := finish(t, process(t, t.TempDir(), sample(2, "--remote", s.url)...)); status != 0 {
		t.Fatalf("another run: %s\n%s", out, s.log)
	}
	d.step(id, left, left+1)
	d.until("released after a step", released(left))
	if r := tell[wire.RunList](d, wire.Runs{}).Runs[0]; r.Status != "paused" || r.On != s.url {
		t.Errorf("%+v", r)
	}
	tell[wire.RunName](d, wire.Move{Run: id})
	tell[any](d, wire.Steer{Run: id, Do: "continue"})
	d.until("finished here", finished)
	want, got := stay.told(whole, steps), d.told(id, steps)
	for step, loss := range want {
		if got[step] != loss {
			t.Errorf("step %d: loss %v, want %v", step, got[step], loss)
		}
	}
	t.Logf("it was released at step %d", left)
}
