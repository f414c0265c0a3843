package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/host"
	"hone/core/ir"
	"hone/core/link"
	"hone/core/recipe"
	"hone/core/tensor"
	"hone/core/wire"
)

// desk is a page's host in a directory, with all that it tells.
type desk struct {
	*host.Host
	t   *testing.T
	dir string

	mu     sync.Mutex
	events []wire.Frame
}

// openDesk opens a workspace, which gets a small model and rows when it is new.
func openDesk(t *testing.T, dir string, dev func() device.Device) *desk {
	t.Helper()
	t.Setenv("HONE_HOME", filepath.Join(dir, "cache"))
	if err := os.CopyFS(filepath.Join(dir, "models", "tiny"), os.DirFS(tinyLlama())); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	rows, err := os.ReadFile(golden("tiny_lora") + "/dataset.jsonl")
	if err == nil {
		os.MkdirAll(filepath.Join(dir, "data"), 0o777)
		err = os.WriteFile(filepath.Join(dir, "data", "rows.jsonl"), rows, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	if dev == nil {
		dev = func() device.Device { return cpu.New(1) }
	}
	d := &desk{t: t, dir: dir}
	if d.Host, err = host.Open(host.Options{Dir: dir, SaveEvery: 50 * time.Millisecond, Device: func(context.Context, recipe.Recipe) (device.Device, error) { return dev(), nil }}); err != nil {
		t.Fatal(err)
	}
	d.Watch(func(f wire.Frame) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if f.Seq > 0 {
			d.events = append(d.events, f)
		}
	})
	t.Cleanup(func() { d.Close() })
	return d
}

// tell asks the host and fails the test when it refuses.
func tell[R any](d *desk, r wire.Request) R {
	d.t.Helper()
	reply, err := wire.Ask[R](d.t.Context(), d, r, nil)
	if err != nil {
		d.t.Fatalf("%s: %v", r.Name(), err)
	}
	return reply
}

// until waits until the events of a run so far are enough.
func (d *desk) until(what string, enough func(name string, e wire.Event) bool) {
	d.t.Helper()
	var all []string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		d.mu.Lock()
		events := slices.Clone(d.events)
		d.mu.Unlock()
		all = all[:0]
		for _, f := range events {
			all = append(all, fmt.Sprint(f.Seq, " ", f.Name, " ", string(f.Data)))
			if e, err := wire.ParseEvent(f.Name, f.Data); err == nil && enough(f.Name, e) {
				return
			}
		}
	}
	d.t.Fatalf("not yet %s; there were\n%s", what, strings.Join(all, "\n"))
}

func at(step int) func(string, wire.Event) bool {
	return func(_ string, e wire.Event) bool { s, ok := e.(wire.Stepped); return ok && s.Step >= step }
}

func finished(_ string, e wire.Event) bool {
	f, ok := e.(wire.Finished)
	return ok && f.Stopped == ""
}

// step takes a paused run to a step, one by one.
func (d *desk) step(id string, from, to int) {
	d.t.Helper()
	for n := from + 1; n <= to; n++ {
		for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			_, err := wire.Ask[struct{}](d.t.Context(), d, wire.Steer{Run: id, Do: "step"}, nil)
			if err == nil {
				break
			}
			if time.Since(begun) > 20*time.Second {
				d.t.Fatal(err) // no worker has it yet
			}
		}
		d.until(fmt.Sprintf("at step %d", n), at(n))
	}
}

// told checks that the host tells the run's events without a gap and each step once, and gives the losses.
func (d *desk) told(id string, steps int) map[int]float64 {
	d.t.Helper()
	losses, last := map[int]float64{}, 0
	for seq := uint64(1); ; {
		told := tell[wire.Told](d, wire.Replay{Run: id, Seq: seq})
		for _, f := range told.Events {
			if s, err := wire.ParseEvent(f.Name, f.Data); err == nil {
				if s, ok := s.(wire.Stepped); ok {
					if s.Step != last+1 {
						d.t.Errorf("step %d is told after %d", s.Step, last)
					}
					last = s.Step
					losses[s.Step] = s.Loss
				}
			}
		}
		if told.Next <= seq {
			break
		}
		seq = told.Next
	}
	if last != steps {
		d.t.Errorf("%d steps are told, want %d", last, steps)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := 1; i < len(d.events); i++ {
		if d.events[i].Run == d.events[i-1].Run && d.events[i].Seq != d.events[i-1].Seq+1 {
			d.t.Errorf("event %d follows on %d", d.events[i].Seq, d.events[i-1].Seq)
		}
	}
	return losses
}

func deskRecipe(steps int) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"model":"models/tiny","dataset":["data/rows.jsonl"],"max_steps":%d,"save_steps":10,"logging_steps":1,"gradient_accumulation_steps":4}`, steps))
}

// A run of a page goes to a server at step 10, is watched there through a workspace that is closed and opened again, and comes
// back at step 20: its losses and its adapter are those of a run that stayed.
func TestPageMovesRun(t *testing.T) {
	const steps = 30
	stay := openDesk(t, t.TempDir(), nil)
	whole := tell[wire.RunName](stay, wire.Start{Recipe: deskRecipe(steps)}).Run
	stay.until("finished", finished)

	s := startService(t, t.TempDir(), "--lease", "1s")
	d := openDesk(t, t.TempDir(), nil)
	on := wire.Server{URL: s.url}
	id := tell[wire.RunName](d, wire.Start{Recipe: deskRecipe(steps)}).Run
	tell[struct{}](d, wire.Steer{Run: id, Do: "pause"})
	d.until("paused", func(_ string, e wire.Event) bool { _, ok := e.(wire.Paused); return ok })
	d.mu.Lock()
	done := 0
	for _, f := range d.events {
		if f.Name == "stepped" {
			done++
		}
	}
	d.mu.Unlock()
	if done >= 10 {
		t.Fatalf("it was paused at step %d, too late", done)
	}
	d.step(id, done, 10)
	look := tell[wire.Surveyed](d, wire.Survey{On: on, Run: id})
	var what []string
	for _, p := range look.Parcels {
		what = append(what, p.What)
	}
	if !slices.Equal(what, []string{"state", "model", "data"}) || look.Total == 0 || look.Refusal != "" || len(look.Workers) != 1 || look.User != "local" {
		t.Errorf("%+v", look)
	}
	tell[wire.RunName](d, wire.Move{Run: id, On: on})
	if again := tell[wire.Surveyed](d, wire.Survey{On: on, Recipe: deskRecipe(3)}); again.Total != 0 {
		t.Errorf("the server has model and rows, and they are %d bytes to send", again.Total)
	}
	d.step(id, 10, 14)
	// The tab is closed; another one finds the run again.
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = openDesk(t, d.dir, nil)
	if _, err := d.GoOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	var runs wire.RunList
	for range 200 { // what was told when nobody listened comes soon
		if runs = tell[wire.RunList](d, wire.Runs{}); len(runs.Runs) == 1 && runs.Runs[0].Status == "paused" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if r := runs.Runs[0]; len(runs.Runs) != 1 || r.On != s.url || r.Status != "paused" {
		t.Fatalf("at %q, %s", r.On, r.Status)
	}
	d.step(id, 14, 20)
	tell[wire.RunName](d, wire.Move{Run: id})
	tell[struct{}](d, wire.Steer{Run: id, Do: "continue"})
	d.until("finished here", finished)
	want, got := stay.told(whole, steps), d.told(id, steps)
	for step, loss := range want {
		if got[step] != loss {
			t.Errorf("step %d: loss %v, want %v", step, got[step], loss)
		}
	}
	sameNumbers(t, filepath.Join(stay.dir, "runs", whole), filepath.Join(d.dir, "runs", id), steps, checkpoint.AdapterTensors, checkpoint.StateTensors)
	if refused := d.refused(wire.Move{Run: id}); !strings.Contains(refused, "is here") {
		t.Error(refused)
	}
	s.kill(syscall.SIGTERM)
}

// A run that was at a server, came back and was deleted there is heard of when it goes there again: the server's events begin at 1.
func TestPageMovesRunAgain(t *testing.T) {
	const steps = 60
	s := startService(t, t.TempDir(), "--lease", "1s")
	d := openDesk(t, t.TempDir(), nil)
	on := wire.Server{URL: s.url}
	id := tell[wire.RunName](d, wire.Start{Recipe: deskRecipe(steps), On: &on}).Run
	turn := func(do, name string) { // each is an event more
		count := func() (n int) {
			d.mu.Lock()
			defer d.mu.Unlock()
			for _, f := range d.events {
				if f.Name == name {
					n++
				}
			}
			return n
		}
		before := count()
		tell[struct{}](d, wire.Steer{Run: id, Do: do})
		d.until(do, func(string, wire.Event) bool { return count() > before })
	}
	turn("pause", "paused")
	for range 10 {
		turn("continue", "resumed")
		turn("pause", "paused")
	}
	tell[wire.RunName](d, wire.Move{Run: id})
	c, err := link.Dial(t.Context(), link.Options{URL: s.url})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := wire.Ask[struct{}](t.Context(), c, wire.Delete{Path: "runs/" + id}, nil); err != nil {
		t.Fatal(err)
	}
	tell[wire.RunName](d, wire.Move{Run: id, On: on})
	tell[struct{}](d, wire.Steer{Run: id, Do: "continue"})
	d.until("back with its result", func(_ string, e wire.Event) bool { m, ok := e.(wire.Moved); return ok && m.On == "" && m.Step == steps })
	d.told(id, steps)
}

// A run that waits for a worker comes back at once: one that has begun nowhere is stopped, one that had begun here goes on here.
func TestPageTakesBackWhatWaits(t *testing.T) {
	s := startService(t, t.TempDir(), "--lease", "1s", "--workers", "0")
	d := openDesk(t, t.TempDir(), nil)
	on := wire.Server{URL: s.url}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	back := func(id string) {
		t.Helper()
		if _, err := wire.Ask[wire.RunName](ctx, d, wire.Move{Run: id}, nil); err != nil {
			t.Fatal(err)
		}
	}
	never := tell[wire.RunName](d, wire.Start{Recipe: deskRecipe(12), On: &on}).Run
	back(never)
	if r := tell[wire.RunList](d, wire.Runs{}).Runs[0]; r.Status != "stopped" || r.On != "" || r.Step != 0 {
		t.Errorf("%+v", r)
	}
	begun := tell[wire.RunName](d, wire.Start{Recipe: deskRecipe(60)}).Run
	d.until("at step 3", at(3))
	tell[wire.RunName](d, wire.Move{Run: begun, On: on})
	back(begun)
	d.until("finished here", finished)
	d.told(begun, 60)
}

func (d *desk) refused(r wire.Request) string {
	d.t.Helper()
	_, err := d.Ask(d.t.Context(), r.Name(), r, nil)
	if err == nil {
		d.t.Fatalf("%s is not refused", r.Name())
	}
	return err.Error()
}

// A run that begins at a server is shown here as one of this host, and in another workspace that attaches to it; its result comes
// by itself. A server that cannot be reached takes nothing away.
func TestPageStartsThere(t *testing.T) {
	s := startService(t, t.TempDir(), "--lease", "1s")
	on := wire.Server{URL: s.url}
	d := openDesk(t, t.TempDir(), nil)
	id := tell[wire.RunName](d, wire.Start{Recipe: deskRecipe(12), On: &on}).Run
	d.until("back", func(_ string, e wire.Event) bool { m, ok := e.(wire.Moved); return ok && m.On == "" })
	d.told(id, 12)
	if got := tell[wire.RunList](d, wire.Runs{}).Runs[0]; !got.Finished || got.On != "" || got.Step != 12 {
		t.Errorf("%+v", got)
	}
	if f := tell[wire.File](d, wire.Export{Run: id, What: "adapter"}); f.Size == 0 {
		t.Errorf("%+v", f)
	}
	other := openDesk(t, t.TempDir(), nil)
	if look := tell[wire.Surveyed](other, wire.Survey{On: on}); len(look.Runs) != 1 || look.Runs[0].ID != id {
		t.Errorf("%+v", look)
	}
	tell[wire.RunName](other, wire.Attach{On: on, Run: id})
	other.until("back", func(_ string, e wire.Event) bool { m, ok := e.(wire.Moved); return ok && m.On == "" })
	other.told(id, 12)

	here := tell[wire.RunName](d, wire.Start{Recipe: deskRecipe(1000)}).Run
	s.kill(syscall.SIGKILL)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := d.Ask(ctx, "move", wire.Move{Run: here, On: on}, nil); err == nil {
		t.Error("a run moved to a server that is not there")
	}
	tell[struct{}](d, wire.Steer{Run: here, Do: "save"}) // it goes on
	if refused := d.refused(wire.Attach{On: wire.Server{URL: "gpu"}, Run: here}); !strings.Contains(refused, "here already") {
		t.Error(refused)
	}
	if refused := d.refused(wire.Agree{On: wire.Server{URL: "gpu"}}); !strings.Contains(refused, "no address") {
		t.Error(refused)
	}
}

// breaking is a CPU that is lost for good at one of its runs.
type breaking struct {
	device.Device
	mu   *sync.Mutex
	left *int
}

func (b breaking) Compile(ctx context.Context, g *ir.Graph) (device.Exec, error) {
	e, err := b.Device.Compile(ctx, g)
	return breakingExec{e, b}, err
}

type breakingExec struct {
	device.Exec
	b breaking
}

func (e breakingExec) Run(ctx context.Context, feeds map[string]tensor.Host) (map[string]tensor.Host, error) {
	e.b.mu.Lock()
	*e.b.left--
	lost := *e.b.left < 0
	e.b.mu.Unlock()
	if lost {
		return nil, fmt.Errorf("test: %w: as told", device.ErrLost)
	}
	return e.Exec.Run(ctx, feeds)
}

// A run whose device is lost goes on at the server by itself when its user has agreed before, and fails when not.
func TestPageLosesDevice(t *testing.T) {
	s := startService(t, t.TempDir(), "--lease", "1s")
	for _, agreed := range []bool{false, true} {
		left := 60
		var mu sync.Mutex
		d := openDesk(t, t.TempDir(), func() device.Device { return breaking{cpu.New(1), &mu, &left} })
		tell[struct{}](d, wire.Agree{On: wire.Server{URL: s.url}, Agreed: agreed})
		id := tell[wire.RunName](d, wire.Start{Recipe: deskRecipe(40)}).Run
		if !agreed {
			d.until("failed", func(_ string, e wire.Event) bool {
				f, ok := e.(wire.Failed)
				return ok && strings.Contains(f.Reason, "lost")
			})
			continue
		}
		d.until("back with its result", func(_ string, e wire.Event) bool { m, ok := e.(wire.Moved); return ok && m.On == "" && m.Step == 40 })
		d.until("a word about it", func(_ string, e wire.Event) bool {
			w, ok := e.(wire.Warning)
			return ok && strings.Contains(w.Text, "As you agreed")
		})
		if got := tell[wire.RunList](d, wire.Runs{}).Runs[0]; got.ID != id || !got.Finished {
			t.Errorf("%+v", got)
		}
	}
}

// A run that its user paused is paused when it comes home before a worker has taken it, unless its user let it go on there.
func TestComesHomePaused(t *testing.T) {
	s := startService(t, t.TempDir(), "--workers", "0")
	d := openDesk(t, t.TempDir(), nil)
	paused := func(_ string, e wire.Event) bool { _, ok := e.(wire.Paused); return ok }
	forget := func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.events = nil
	}
	for _, c := range []struct{ here, there, want string }{{"pause", "", "paused"}, {"pause", "continue", "stepped"}} {
		forget()
		id := tell[wire.RunName](d, wire.Start{Recipe: deskRecipe(100_000)}).Run
		d.until("at step 1", at(1))
		if c.here != "" {
			tell[struct{}](d, wire.Steer{Run: id, Do: c.here})
			d.until("paused", paused)
		}
		tell[wire.RunName](d, wire.Move{Run: id, On: wire.Server{URL: s.url}})
		d.until("queued", func(_ string, e wire.Event) bool { _, ok := e.(wire.Queued); return ok })
		forget()
		if c.there != "" {
			tell[struct{}](d, wire.Steer{Run: id, Do: c.there})
		}
		tell[wire.RunName](d, wire.Move{Run: id})
		got := ""
		d.until("here", func(name string, _ wire.Event) bool {
			if name == "paused" || name == "stepped" { // no worker says so
				got = name
			}
			return got != ""
		})
		if got != c.want {
			t.Errorf("%q here and %q there: the first that it tells is %q", c.here, c.there, got)
		}
		forget()
		tell[struct{}](d, wire.Steer{Run: id, Do: "stop"})
		d.until("stopped", func(_ string, e wire.Event) bool { f, ok := e.(wire.Finished); return ok && f.Stopped != "" })
	}
}
