package cli

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"hone/core/link"
	"hone/core/move"
	"hone/core/recipe"
	"hone/core/wire"
	"hone/server/badnetwork"
)

// asEngine makes the test binary be a NATS server with its files in a directory, at the address in asEngineAt: one that can be
// killed.
const (
	asEngine   = "HONE_TEST_AS_ENGINE"
	asEngineAt = "HONE_TEST_AS_ENGINE_AT"
)

func runEngine(dir string) {
	host, port, err := net.SplitHostPort(os.Getenv(asEngineAt))
	o := &server.Options{Host: host, JetStream: true, StoreDir: dir, MaxPayload: 8 << 20, Authorization: "secret"}
	if err == nil {
		_, err = fmt.Sscan(port, &o.Port)
	}
	var s *server.Server
	if err == nil {
		s, err = server.NewServer(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s.Start()
	s.WaitForShutdown()
}

// engine is an external NATS server.
type engine struct {
	t        *testing.T
	dir, url string
	addr     string
	cmd      *exec.Cmd
}

func startEngine(t *testing.T) *engine {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &engine{t: t, dir: t.TempDir(), addr: l.Addr().String()}
	n.url = "nats://secret@" + n.addr
	l.Close()
	n.start()
	t.Cleanup(n.kill)
	return n
}

func (n *engine) start() {
	n.t.Helper()
	self, err := os.Executable()
	if err != nil {
		n.t.Fatal(err)
	}
	n.cmd = exec.Command(self)
	n.cmd.Env = append(os.Environ(), asEngine+"="+n.dir, asEngineAt+"="+n.addr)
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", n.addr)
		if err == nil {
			c.Close()
			return
		}
		if time.Since(began) > 30*time.Second {
			n.t.Fatal(err)
		}
	}
}

func (n *engine) kill() {
	n.cmd.Process.Kill()
	n.cmd.Wait()
}

// startWorker starts `hone worker` as a process of its own.
func startWorker(t *testing.T, url string, args ...string) *exec.Cmd {
	t.Helper()
	w := process(t, t.TempDir(), append([]string{"worker", "--nats", url, "--data_dir", t.TempDir(), "--device", "cpu"}, args...)...)
	var log bytes.Buffer
	w.Stderr = &log
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Process.Kill()
		w.Wait()
		if t.Failed() {
			t.Logf("a worker says:\n%s", &log)
		}
	})
	return w
}

// guest is somebody who uses a server by a link.
type guest struct {
	*link.Client
	t      *testing.T
	url    string
	load   *move.Load
	events chan wire.Frame
}

func visit(t *testing.T, url string, steps int, more ...string) *guest {
	t.Helper()
	r, err := recipe.Parse(sample(steps, more...)[1:])
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{t: t, url: url, events: make(chan wire.Frame, 1<<16)}
	if g.load, err = move.Gather(r); err != nil {
		t.Fatal(err)
	}
	if g.Client, err = link.Dial(t.Context(), link.Options{URL: url, Event: func(f wire.Frame) { g.events <- f }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	if err := g.load.Send(t.Context(), link.Files{URL: url}, nil); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *guest) start() string {
	g.t.Helper()
	s, err := g.load.Start(rand.Text(), wire.Usual)
	if err != nil {
		g.t.Fatal(err)
	}
	name, err := wire.Ask[wire.RunName](g.t.Context(), g, s, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return name.Run
}

// follow hears a run to its end and calls at for each of its steps, which come one by one.
func (g *guest) follow(id string, steps int, limit time.Duration, at func(step int)) {
	g.t.Helper()
	g.Follow(id, 1)
	last, seq := 0, uint64(0)
	deadline := time.After(limit)
	for {
		select {
		case f := <-g.events:
			if f.Run != id {
				continue
			}
			if seq++; f.Seq != seq {
				g.t.Fatalf("event %d where %d comes next", f.Seq, seq)
			}
			e, err := wire.ParseEvent(f.Name, f.Data)
			if err != nil {
				g.t.Fatal(err)
			}
			switch e := e.(type) {
			case wire.Started:
				if e.Stands() < last { // a page takes what is behind it from its curves, and gets it no more
					g.t.Errorf("begun again at step %d, where %d are told", e.Stands(), last)
				}
			case wire.Stepped:
				if e.Step != last+1 {
					g.t.Errorf("step %d after %d", e.Step, last)
				}
				last = e.Step
				if at != nil {
					at(last)
				}
			case wire.Failed:
				g.t.Fatalf("it failed: %s", e.Reason)
			case wire.Finished:
				if last != steps {
					g.t.Errorf("it ended at step %d of %d", last, steps)
				}
				return
			}
		case <-deadline:
			g.t.Fatalf("not over after %v, at step %d", limit, last)
		}
	}
}

// Two workers reach their engine, and the page its server, through networks that drop, delay and half close what they carry: the run
// misses nothing and has the result of an undisturbed one.
func TestBadNetwork(t *testing.T) { throughBadNetwork(t, 1, 160, 800*time.Millisecond) }

func throughBadNetwork(t *testing.T, seed uint64, steps int, every time.Duration) {
	home := t.TempDir()
	if out, status := finish(t, process(t, home, sample(steps, "--output_dir", "whole")...)); status != 0 {
		t.Fatal(out)
	}
	n := startEngine(t)
	s := startService(t, t.TempDir(), "--nats", n.url, "--workers", "0", "--lease", "2s")
	engine, server := badnetwork.To(t, n.addr), badnetwork.To(t, strings.TrimPrefix(s.url, "http://"))
	g := visit(t, "http://"+server.Addr, steps)
	for range 2 {
		startWorker(t, "nats://secret@"+engine.Addr, "--lease", "2s", "--save_every", "200ms", "--retries", "1000")
	}
	calm := []func(){server.Misbehave(seed, 300*time.Millisecond), engine.Misbehave(seed+1, every)}
	id := g.start()
	g.follow(id, steps, 2*time.Minute+time.Duration(steps)*time.Second, nil)
	for _, stop := range calm {
		stop()
	}
	if engine.Broken.Load() == 0 || server.Broken.Load() == 0 {
		t.Error("the network was never bad")
	}
	dir, step, err := move.Pull(t.Context(), g, link.Files{URL: s.url}, id, filepath.Join(home, "remote"), nil)
	if err != nil || step != steps {
		t.Fatalf("step %d, %v", step, err)
	}
	sameResult(t, onlyRun(t, filepath.Join(home, "whole")), dir, steps)
	t.Logf("the networks misbehaved %d and %d times", engine.Broken.Load(), server.Broken.Load())
}
