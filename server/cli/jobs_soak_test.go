//go:build soak && linux

package cli

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hone/core/link"
	"hone/core/wire"
)

// TestSoakServers kills workers and servers at many moments of one run, with several seeds.
func TestSoakServers(t *testing.T) {
	for seed := range int64(3) {
		killService(t, seed, 20, 400)
	}
}

// TestSoakEngine kills an engine of its own again and again.
func TestSoakEngine(t *testing.T) { killEngine(t, 8, 200) }

// TestSoakNetwork has bad networks for a long run.
func TestSoakNetwork(t *testing.T) {
	for seed := range uint64(3) {
		throughBadNetwork(t, 10*seed, 200, 2*time.Second)
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

// TestSoakPages keeps 200 links that do nothing and 50 that ask and listen, for ten minutes: events are heard to the end, and the
// server's memory grows by no more than a quarter and 64 MiB after the first two. The run keeps two checkpoints: one that keeps
// all makes its record grow, and the memory with it.
func TestSoakPages(t *testing.T) { pages(t, 200, 50, 10*time.Minute) }

func pages(t *testing.T, idle, active int, long time.Duration) {
	s := startService(t, t.TempDir(), "--lease", "5s")
	g := visit(t, s.url, 1_000_000, "--save_steps", "1000", "--save_total_limit", "2")
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
	level := func() int64 {
		kb := int64(0)
		f, err := os.Open(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for in := bufio.NewScanner(f); in.Scan(); {
			if strings.HasPrefix(in.Text(), "VmRSS:") {
				fmt.Sscan(strings.TrimPrefix(in.Text(), "VmRSS:"), &kb)
			}
		}
		return kb << 10
	}
	ask := func(until time.Time) {
		for time.Now().Before(until) {
			for _, c := range all {
				if _, err := wire.Ask[wire.RunList](t.Context(), c, wire.Runs{}, nil); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	ask(time.Now().Add(long / 5)) // caches fill
	before, events := level(), heard.Load()
	ask(time.Now().Add(long * 4 / 5))
	after := level()
	t.Logf("%d MiB, then %d MiB; %d events heard", before>>20, after>>20, heard.Load())
	if heard.Load() <= events {
		t.Error("nothing was heard")
	}
	if after > before+before/4+64<<20 {
		t.Errorf("the server's memory grew from %d to %d MiB", before>>20, after>>20)
	}
	if _, err := g.Ask(t.Context(), "steer", wire.Steer{Run: id, Do: "stop"}, nil); err != nil {
		t.Error(err)
	}
	if files, err := filepath.Glob(filepath.Join(s.dir, "data", "workers", "*", "work", "*")); err != nil || len(files) > 1 {
		t.Errorf("%v, %v", files, err)
	}
}
