package webgpu

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"hone/core/device"
	"hone/core/device/devicetest"
	"hone/core/tensor"
)

// faulty is a driver that fails on command.
type faulty struct {
	driver
	memory  int64 // bytes of buffers that may be made from now on; negative: no end
	replays int   // until the device is lost; negative: never
}

func (f *faulty) createBuffer(label string, bytes int64, u usage) (bufferID, error) {
	if f.memory >= 0 {
		if f.memory -= bytes; f.memory < 0 {
			f.memory = 0
			return 0, errors.New("test: out of memory")
		}
	}
	return f.driver.createBuffer(label, bytes, u)
}

func (f *faulty) lost() error {
	if f.replays == 0 {
		return fmt.Errorf("test: %w", device.ErrLost)
	}
	return f.driver.lost()
}

func (f *faulty) replay(ctx context.Context, p programID, feed, out []byte) (time.Duration, error) {
	if err := f.lost(); err != nil {
		return 0, err
	}
	took, err := f.driver.replay(ctx, p, feed, out)
	if f.replays > 0 {
		if f.replays--; f.replays == 0 {
			return 0, f.lost()
		}
	}
	return took, err
}

func openFaulty(t *testing.T) (*Device, *faulty) {
	d := open(t)
	d.Caps() // chooses its kernels while all is well
	f := &faulty{driver: d.drv, memory: -1, replays: -1}
	d.drv = f
	return d, f
}

// says asks that an error has all the words.
func says(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%s gives the error %v, which should say %q", what, err, w)
		}
	}
}

// TestOutOfMemory lets memory end before a run and when its first step makes the temporaries, at every buffer in turn.
// The error has the numbers, nothing leaks, and with more memory the run goes through.
func TestOutOfMemory(t *testing.T) {
	d, f := openFaulty(t)
	c := devicetest.Chain()
	f.memory = 100
	_, err := d.Upload(t.Context(), tensor.Of(tensor.F32, 64), nil)
	says(t, "an upload without memory", err, "asks for 256 bytes", "holds 0", "out of memory")
	failed := 0
	for enough := int64(0); ; enough += 5000 {
		f.memory = enough
		_, err := devicetest.Run(t.Context(), d, c)
		f.memory = -1
		if err == nil {
			break
		}
		failed++
		says(t, "a run without memory", err, "out of memory", "asks for", "this run holds")
		held := int64(0)
		for _, temp := range d.temps {
			held += temp.bytes
		}
		if held != d.held {
			t.Errorf("with %d bytes: %d are held, of which %d are temporaries", enough, d.held, held)
		}
	}
	if failed < 5 {
		t.Errorf("memory ended %d times only", failed)
	}
	if err := devicetest.Check(t.Context(), d, c); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

// TestBudget asks that --device_memory is kept.
func TestBudget(t *testing.T) {
	d := open(t)
	d.Caps()
	d.budget = 1000
	b, err := d.Upload(t.Context(), tensor.Of(tensor.F32, 200), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Upload(t.Context(), tensor.Of(tensor.F32, 100), nil)
	says(t, "an upload over the budget", err, "400 bytes", "holds 800", "--device_memory allows 1000")
	b.Release()
	if b, err = d.Upload(t.Context(), tensor.Of(tensor.F32, 250), nil); err != nil {
		t.Errorf("released memory is not free again: %v", err)
	} else {
		b.Release()
	}
}

// TestDeviceLost asks that everything says so once the device is gone, and that closing still works.
func TestDeviceLost(t *testing.T) {
	d, f := openFaulty(t)
	c := devicetest.Chain()
	e, err := d.Compile(t.Context(), c.Graph)
	if err != nil {
		t.Fatal(err)
	}
	f.replays = 1
	if _, err := devicetest.Run(t.Context(), d, c); !errors.Is(err, device.ErrLost) {
		t.Errorf("a run during which the device is lost gives the error %v", err)
	}
	if _, err := d.Compile(t.Context(), c.Graph); !errors.Is(err, device.ErrLost) {
		t.Errorf("compiling for a lost device gives the error %v", err)
	}
	if _, err := e.Run(t.Context(), c.Feeds); !errors.Is(err, device.ErrLost) {
		t.Errorf("running on a lost device gives the error %v", err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// still is a driver whose replays do nothing.
type still struct{ driver }

func (still) replay(context.Context, programID, []byte, []byte) (time.Duration, error) { return 0, nil }
func (still) lost() error                                                              { return nil }

// TestAllocations asks that a replay makes no Go objects, beside those that the binding makes for a submission (an encoder, a pass, a
// list, and handles for the errors of the calls in a table that grows), whose number does not hang on the program's length.
func TestAllocations(t *testing.T) {
	d := open(t)
	perRun := func(c devicetest.Case, replays bool) float64 {
		e, err := d.Compile(t.Context(), c.Graph)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		states, release, err := devicetest.Upload(t.Context(), d, c)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		if err := e.Bind(states); err != nil {
			t.Fatal(err)
		}
		drv := d.drv
		defer func() { d.drv = drv }()
		if !replays {
			d.drv = still{drv}
		}
		return testing.AllocsPerRun(10, func() {
			if _, err := e.Run(t.Context(), c.Feeds); err != nil {
				t.Fatal(err)
			}
		})
	}
	for _, n := range []int{2, 40} {
		if made := perRun(devicetest.Norms(n), false); made != 0 {
			t.Errorf("a run of %d kernels makes %.0f objects outside the driver", n, made)
		}
	}
	short, long := perRun(devicetest.Norms(2), true), perRun(devicetest.Norms(40), true)
	t.Logf("%.0f allocations a run of 2 kernels, %.0f of 40", short, long)
	if long > 60 || long > short+20 {
		t.Errorf("%.0f allocations a run of 2 kernels, %.0f of 40", short, long)
	}
}
