package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/ir"
	"hone/core/tensor"
	"hone/core/wire"
)

// cramped is a CPU whose memory runs out: from one of its uploads, downloads or runs on it has no room for any.
type cramped struct {
	device.Device
	*room
}

// room counts what may still be done of each kind; nil is without end.
type room struct{ uploads, downloads, runs *atomic.Int64 }

func left(n int64) *atomic.Int64 {
	var c atomic.Int64
	c.Store(n)
	return &c
}

// noRoom is the error of a device, as webgpu gives it.
type noRoom struct{ error }

func (noRoom) Is(target error) bool { return target == device.ErrMemory }

func (r *room) take(from *atomic.Int64, what string) error {
	if from == nil || from.Add(-1) >= 0 {
		return nil
	}
	return noRoom{fmt.Errorf("test: %s asks for 4096 bytes, and this run holds 123456 on the device; take shorter or fewer sequences a batch", what)}
}

func (c cramped) Upload(ctx context.Context, t tensor.Type, r io.Reader) (device.Buffer, error) {
	if err := c.take(c.uploads, "a weight"); err != nil {
		return nil, err
	}
	return c.Device.Upload(ctx, t, r)
}

func (c cramped) Download(ctx context.Context, b device.Buffer, w io.Writer) error {
	if err := c.take(c.downloads, "what is read back"); err != nil {
		return err
	}
	return c.Device.Download(ctx, b, w)
}

func (c cramped) Compile(ctx context.Context, g *ir.Graph) (device.Exec, error) {
	e, err := c.Device.Compile(ctx, g)
	return crampedExec{e, c.room}, err
}

type crampedExec struct {
	device.Exec
	r *room
}

func (e crampedExec) Run(ctx context.Context, feeds map[string]tensor.Host) (map[string]tensor.Host, error) {
	if err := e.r.take(e.r.runs, "a step"); err != nil {
		return nil, err
	}
	return e.Exec.Run(ctx, feeds)
}

// saysMemory reports whether a text says what was asked, what was held and what would help.
func saysMemory(text string) bool {
	return strings.Contains(text, "4096 bytes") && strings.Contains(text, "holds 123456") && strings.Contains(text, "fewer sequences")
}

// A run whose device has too little memory, in the middle of it, before its first State or before its first step, goes on or begins at
// the server when its user has agreed before, and has the numbers of a run that was not disturbed. When not, it ends with what was
// asked, what was held and what would help, and what it had saved is kept.
func TestPageRunsOutOfMemory(t *testing.T) {
	const steps = 24
	stay := openDesk(t, t.TempDir(), nil)
	whole := tell[wire.RunName](stay, wire.Start{Recipe: deskRecipe(steps)}).Run
	stay.until("finished", finished)
	want := stay.told(whole, steps)
	s := startService(t, t.TempDir(), "--lease", "1s")
	agree := func(d *desk, yes bool) {
		tell[struct{}](d, wire.Agree{On: wire.Server{URL: s.url}, Agreed: yes})
	}
	returns := func(d *desk, id string) {
		t.Helper()
		d.until("back with its result", func(_ string, e wire.Event) bool { m, ok := e.(wire.Moved); return ok && m.On == "" && m.Step == steps })
		got := d.told(id, steps)
		for step, loss := range want {
			if got[step] != loss {
				t.Errorf("step %d: loss %v, want %v", step, got[step], loss)
			}
		}
		sameNumbers(t, filepath.Join(stay.dir, "runs", whole), filepath.Join(d.dir, "runs", id), steps, checkpoint.AdapterTensors, checkpoint.StateTensors)
	}
	for name, c := range map[string]struct {
		room  func() *room
		begun bool // it fails after it has begun
		saved bool // it has a State then
	}{
		"in the middle":          {func() *room { return &room{runs: left(40)} }, true, true},
		"before the first State": {func() *room { return &room{downloads: left(0)} }, true, false},
		"before it begins":       {func() *room { return &room{uploads: left(3)} }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			// Not agreed.
			r := c.room()
			d := openDesk(t, t.TempDir(), func() device.Device { return cramped{cpu.New(1), r} })
			agree(d, false)
			if !c.begun {
				if text := d.refused(wire.Start{Recipe: deskRecipe(steps)}); !saysMemory(text) {
					t.Errorf("it is refused with %q", text)
				}
			} else {
				id := tell[wire.RunName](d, wire.Start{Recipe: deskRecipe(steps)}).Run
				var failed wire.Failed
				d.until("failed", func(_ string, e wire.Event) (ok bool) { failed, ok = e.(wire.Failed); return ok })
				if !saysMemory(failed.Reason) || (failed.Step > 0) != c.saved {
					t.Errorf("it fails at step %d with %q", failed.Step, failed.Reason)
				}
				list := tell[wire.RunList](d, wire.Runs{}).Runs
				if len(list) != 1 || list[0].ID != id || list[0].Status != "failed" || list[0].On != "" || list[0].Step != failed.Step {
					t.Errorf("%+v", list)
				}
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			// Agreed.
			r = c.room()
			d = openDesk(t, t.TempDir(), func() device.Device { return cramped{cpu.New(1), r} })
			agree(d, true)
			id := tell[wire.RunName](d, wire.Start{Recipe: deskRecipe(steps)}).Run
			returns(d, id)
			if c.begun {
				d.until("a word about it", func(_ string, e wire.Event) bool {
					w, ok := e.(wire.Warning)
					return ok && strings.Contains(w.Text, "As you agreed") && saysMemory(w.Text)
				})
			}
		})
	}
	t.Run("when the workspace is opened again", func(t *testing.T) {
		d := openDesk(t, t.TempDir(), nil)
		agree(d, true)
		id := tell[wire.RunName](d, wire.Start{Recipe: deskRecipe(steps)}).Run
		d.until("at step 3", at(3))
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		r := &room{uploads: left(3)}
		d = openDesk(t, d.dir, func() device.Device { return cramped{cpu.New(1), r} })
		if got, err := d.GoOn(t.Context()); got != id || err != nil {
			t.Fatal(got, err)
		}
		returns(d, id)
	})
	t.Run("when the limit that the user set is too low", func(t *testing.T) {
		d := openDesk(t, t.TempDir(), nil)
		var tight map[string]any
		if err := json.Unmarshal(deskRecipe(steps), &tight); err != nil {
			t.Fatal(err)
		}
		tight["device_memory"] = 1 << 20
		raw, err := json.Marshal(tight)
		if err != nil {
			t.Fatal(err)
		}
		agree(d, false)
		_, err = d.Ask(t.Context(), "start", wire.Start{Recipe: raw}, nil)
		if !errors.Is(err, device.ErrMemory) || !strings.Contains(err.Error(), "--device_memory (1.0 MiB)") || !strings.Contains(err.Error(), "what helps") {
			t.Errorf("it is refused with %v", err)
		}
		agree(d, true)
		returns(d, tell[wire.RunName](d, wire.Start{Recipe: raw}).Run)
	})
}
