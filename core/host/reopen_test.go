package host

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/bundle"
	"hone/core/device"
	"hone/core/recipe"
	"hone/core/wire"
)

// ownRun puts a model and rows into a workspace, as models/own and data/own.json, and starts a run on them.
func ownRun(t *testing.T, h *here) (id string) {
	t.Helper()
	model, err := fs.Sub(bundle.FS(), "model")
	if err == nil {
		err = os.CopyFS(filepath.Join(h.dir, "models", "own"), model)
	}
	raw, readErr := fs.ReadFile(bundle.FS(), rows())
	if err = errors.Join(err, readErr, os.MkdirAll(filepath.Join(h.dir, "data"), 0o777), os.WriteFile(filepath.Join(h.dir, "data", "own.json"), raw, 0o666)); err != nil {
		t.Fatal(err)
	}
	return ask[wire.RunName](h, wire.Start{Recipe: settings(map[string]any{"model": "models/own", "dataset": []string{"data/own.json#50"}, "max_steps": 9})}).Run
}

// killed gives a workspace whose process died while a run on models/own was paused after a step, and the run.
func killed(t *testing.T) (dir, id string) {
	t.Helper()
	alive := t.TempDir()
	h := open(t, alive)
	id = ownRun(t, h)
	ask[any](h, wire.Note{Run: id, Text: "mine"})
	ask[any](h, wire.Steer{Run: id, Do: "pause"})
	ask[any](h, wire.Steer{Run: id, Do: "step"})
	h.until("stepped")
	ask[any](h, wire.Steer{Run: id, Do: "save"})
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(alive)); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"args.json", "manifest.json", standingFile} { // which have the paths of the workspace
		path := filepath.Join(dir, "runs", filepath.FromSlash(id), file)
		raw, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, bytes.ReplaceAll(raw, []byte(alive), []byte(dir)), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ask[any](h, wire.Steer{Run: id, Do: "stop"})
	waitIdle(h)
	return dir, id
}

// TestCannotGoOn opens workspaces with a run that cannot be gone on with. It has failed then: for who hears it, for who asks later, and
// in the list.
func TestCannotGoOn(t *testing.T) {
	for what, c := range map[string]struct {
		spoil func(h *here, id string) error
		why   string
	}{
		"its model was deleted": {func(h *here, id string) error { return os.RemoveAll(filepath.Join(h.dir, "models")) }, "own"},
		"it was tried too often": {func(h *here, id string) error {
			return replaceFile(h.markPath(), mark{Run: id, Tries: mostTries})
		}, "3 times"},
	} {
		t.Run(what, func(t *testing.T) {
			dir, id := killed(t)
			h := open(t, dir)
			if err := c.spoil(h, id); err != nil {
				t.Fatal(err)
			}
			if got, err := h.GoOn(t.Context()); got != id || err == nil || !strings.Contains(err.Error(), c.why) {
				t.Fatalf("%s: %v", got, err)
			}
			if hello := ask[wire.Host](h, wire.Hello{}); hello.Going != "" || hello.Begins {
				t.Errorf("the host says that %q goes on", hello.Going)
			}
			if e := h.until("failed"); e.Run != id || !strings.Contains(string(e.Data), c.why) {
				t.Errorf("told is %+v", e)
			}
			told := ask[wire.Told](h, wire.Replay{Run: id, Seq: 1}).Events
			if last := told[len(told)-1]; last.Name != "failed" || last.Seq != h.until("failed").Seq {
				t.Errorf("replayed is %+v", last)
			}
			if r := ask[wire.RunList](h, wire.Runs{}).Runs[0]; r.Status != "failed" || !strings.Contains(r.Reason, c.why) || r.Note != "mine" || r.Loss == 0 {
				t.Errorf("listed is %+v", r)
			}
			if got, err := h.GoOn(t.Context()); got != "" || err != nil {
				t.Errorf("it is tried again: %s, %v", got, err)
			}
		})
	}
}

// TestListedWhileLoaded asks what the list says of a run whose model is being loaded again, and that a note which is written then costs
// nothing.
func TestListedWhileLoaded(t *testing.T) {
	dir, id := killed(t)
	ready, loads := make(chan struct{}), make(chan struct{})
	h := open(t, dir, func(o *Options) {
		o.Device = func(ctx context.Context, _ recipe.Recipe) (device.Device, error) {
			close(loads)
			<-ready
			return nil, errors.Join(ctx.Err(), errors.New("no device today"))
		}
	})
	before := ask[wire.RunList](h, wire.Runs{}).Runs[0]
	if before.Loss == 0 || before.Steps != 9 || before.Model != "models/own" || before.Note != "mine" {
		t.Fatalf("of %s: step %d of %d, loss %v, %q", before.Model, before.Step, before.Steps, before.Loss, before.Note)
	}
	over := make(chan error)
	go func() {
		_, err := h.GoOn(context.Background())
		over <- err
	}()
	<-loads
	same := func(when string, note string) {
		t.Helper()
		r := ask[wire.RunList](h, wire.Runs{}).Runs[0]
		if r.Model != before.Model || r.Steps != before.Steps || r.Step != before.Step || r.Loss != before.Loss || r.Note != note {
			t.Errorf("%s: of %s, step %d of %d, loss %v, %q", when, r.Model, r.Step, r.Steps, r.Loss, r.Note)
		}
	}
	same("while it is loaded", "mine")
	ask[any](h, wire.Note{Run: id, Text: "written meanwhile"})
	same("with a new note", "written meanwhile")
	close(ready)
	if err := <-over; err == nil || !strings.Contains(err.Error(), "no device today") {
		t.Error(err)
	}
	same("after that", "written meanwhile")
}

// TestStoppedWhileLoaded stops a run whose device is being opened: who has started it hears that, as against what went wrong.
func TestStoppedWhileLoaded(t *testing.T) {
	loads := make(chan struct{})
	h := open(t, t.TempDir(), func(o *Options) {
		o.Device = func(ctx context.Context, _ recipe.Recipe) (device.Device, error) {
			close(loads)
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	over := make(chan error)
	go func() {
		_, err := h.Ask(context.Background(), "start", wire.Start{Recipe: settings(nil)}, nil)
		over <- err
	}()
	<-loads
	ask[any](h, wire.Steer{Do: "stop"})
	if err := <-over; wire.StatusOf(err) != wire.StatusStopped {
		t.Errorf("its starter hears %v", err)
	}
}
