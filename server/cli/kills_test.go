package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hone/core/link"
	"hone/core/move"
	"hone/core/wire"
)

// moments are the steps behind which something happens to a run: n of them, drawn evenly from all but the last third, or the second half
// of a short one: what is waited for then has to come before its end.
func moments(rng *rand.Rand, n, steps int) []int {
	most := max(min(steps*2/3, steps-60), steps/2)
	at := make([]int, n)
	for i := range at {
		at[i] = 1 + rng.IntN(most)
	}
	slices.Sort(at)
	return at
}

// upTo waits for a random time below most: a step of these runs takes some ten milliseconds, so what happens then may happen at any
// point of a step, or between two.
func upTo(rng *rand.Rand, most time.Duration) { time.Sleep(time.Duration(rng.Int64N(int64(most)))) }

// told is how far a run has been told.
type told struct {
	step atomic.Int64
	over chan struct{} // closed when it is told no more
}

// reach waits until a step is told, and reports whether the run goes on after it.
func (p *told) reach(step int) bool {
	for int(p.step.Load()) < step {
		select {
		case <-p.over:
			return false
		case <-time.After(time.Millisecond):
		}
	}
	return true
}

func (p *told) done() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// Workers and the server are killed at random moments; the command that waits for the run shows each step once and ends with
// the result of a run that nobody disturbed.
func TestKilledServersGoOn(t *testing.T) { killService(t, 1, 3, 100) }

func killService(t *testing.T, seed uint64, kills, steps int) {
	home := t.TempDir()
	if out, status := finish(t, process(t, home, sample(steps, "--output_dir", "whole")...)); status != 0 {
		t.Fatal(out)
	}
	s := startService(t, t.TempDir(), "--lease", "1s", "--save_every", "100ms", "--retries", "1000")
	run := process(t, home, sample(steps, "--output_dir", "remote", "--remote", s.url, "--log_format", "json")...)
	var errs bytes.Buffer
	run.Stderr = &errs
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	p := &told{over: make(chan struct{})}
	go func() {
		defer close(p.over)
		for in := bufio.NewScanner(out); in.Scan(); {
			var l struct {
				Event string `json:"event"`
				Data  struct {
					Step int64 `json:"step"`
					wire.Started
				} `json:"data"`
			}
			if json.Unmarshal(in.Bytes(), &l) != nil {
				continue
			}
			if last := int(p.step.Load()); l.Event == "started" && l.Data.Stands() < last { // a page takes what is behind it from its curves
				t.Errorf("begun again at step %d, where %d are told", l.Data.Stands(), last)
			}
			if l.Event != "stepped" {
				continue
			}
			if last := p.step.Swap(l.Data.Step); l.Data.Step != last+1 {
				t.Errorf("step %d is shown after %d", l.Data.Step, last)
			}
		}
	}()
	limit := time.AfterFunc(5*time.Minute+time.Duration(kills)*10*time.Second, func() {
		t.Errorf("not over in time, at step %d", p.step.Load())
		run.Process.Kill()
	})
	defer limit.Stop()
	rng := rand.New(rand.NewPCG(seed, 1))
	killed := map[string]int{}
	for i, step := range moments(rng, kills, steps) {
		if !p.reach(step) {
			break
		}
		what := whatDies[(i+int(seed))%len(whatDies)]
		what.kill(s, rng)
		killed[what.name]++
		if s.missed {
			t.Errorf("kill %d, %s: no such moment for %v; step %d, over: %t, workers %v", i, what.name, moment, p.step.Load(), p.done(), s.workers())
			s.missed = false
		}
	}
	<-p.over
	if err := run.Wait(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, errs.String(), s.log)
	}
	n := 0
	for _, k := range killed {
		n += k
	}
	if last := int(p.step.Load()); n != kills || last != steps {
		t.Errorf("%d kills, %d steps", n, last)
	}
	t.Logf("kills: %v", killed)
	sameResult(t, onlyRun(t, filepath.Join(home, "whole")), onlyRun(t, filepath.Join(home, "remote")), steps)
}

// whatDies are the ways in which something of a service dies.
var whatDies = []struct {
	name string
	kill func(s *service, rng *rand.Rand)
}{
	{"worker, at any point of its steps", func(s *service, rng *rand.Rand) {
		upTo(rng, 60*time.Millisecond)
		s.killWorkers()
	}},
	{"worker, while it stores a State", func(s *service, rng *rand.Rand) {
		s.wait(func(int) string { return filepath.Join("work", "*", "storing", "*") })
		upTo(rng, 8*time.Millisecond)
		s.killWorkers()
	}},
	{"server, and then a worker that begins", func(s *service, rng *rand.Rand) { // its files are fetched, or the State is read
		upTo(rng, 60*time.Millisecond)
		s.kill(syscall.SIGKILL)
		upTo(rng, 100*time.Millisecond)
		s.start()
		s.wait(func(pid int) string { return filepath.Join("work", strconv.Itoa(pid)) })
		upTo(rng, 100*time.Millisecond)
		s.killWorkers()
	}},
	{"server", func(s *service, rng *rand.Rand) {
		upTo(rng, 60*time.Millisecond)
		s.kill(syscall.SIGKILL)
		upTo(rng, 100*time.Millisecond)
		s.start()
	}},
	{"server, as soon as it is there again", func(s *service, rng *rand.Rand) { // its workers of before may still be ending
		for range 2 {
			s.kill(syscall.SIGKILL)
			s.start()
			upTo(rng, 300*time.Millisecond)
		}
	}},
}

func (s *service) killWorkers() {
	for _, pid := range s.workers() {
		syscall.Kill(pid, syscall.SIGKILL) // a worker of the server that this test started
	}
}

// moment is how long it may take until something is to be seen of a worker: one that has died often is started again after 5 s, and has to be
// given the run then.
const moment = 30 * time.Second

// wait returns as soon as a worker has such a file in its directory; missed says that it was never there.
func (s *service) wait(file func(pid int) string) {
	var pids []int
	for began, n := time.Now(), 0; time.Since(began) < moment; time.Sleep(time.Millisecond) {
		if n++; n%20 == 1 { // looking through all processes takes longer than a State
			pids = s.workers()
		}
		for _, pid := range pids {
			if found, err := filepath.Glob(filepath.Join(s.dir, "data", "workers", "*", file(pid))); err == nil && len(found) > 0 {
				return
			}
		}
	}
	s.missed = true
}

// An engine of its own is killed and comes back: server and workers find it again, and the run misses nothing.
func TestKilledEngineComesBack(t *testing.T) { killEngine(t, 1, 2, 50) }

func killEngine(t *testing.T, seed uint64, kills, steps int) {
	home := t.TempDir()
	if out, status := finish(t, process(t, home, sample(steps, "--output_dir", "whole")...)); status != 0 {
		t.Fatal(out)
	}
	n := startEngine(t)
	s := startService(t, t.TempDir(), "--nats", n.url, "--workers", "0", "--lease", "2s")
	for range 2 {
		startWorker(t, n.url, "--lease", "2s", "--save_every", "200ms", "--retries", "100")
	}
	g := visit(t, s.url, steps)
	id := g.start()
	p, killed := &told{over: make(chan struct{})}, make(chan int, 1)
	go func() {
		rng, done := rand.New(rand.NewPCG(seed, 2)), 0
		defer func() { killed <- done }()
		for _, step := range moments(rng, kills, steps) {
			if !p.reach(step) {
				break
			}
			upTo(rng, 60*time.Millisecond)
			n.kill()
			upTo(rng, 600*time.Millisecond)
			n.start()
			done++
		}
	}()
	g.follow(id, steps, 2*time.Minute+time.Duration(kills)*15*time.Second, func(step int) { p.step.Store(int64(step)) })
	close(p.over)
	if n := <-killed; n != kills {
		t.Errorf("%d kills", n)
	}
	dir, step, err := move.Pull(t.Context(), g, link.Files{URL: s.url}, id, filepath.Join(home, "remote"), nil)
	if err != nil || step != steps {
		t.Fatalf("step %d, %v", step, err)
	}
	sameResult(t, onlyRun(t, filepath.Join(home, "whole")), dir, steps)
}
