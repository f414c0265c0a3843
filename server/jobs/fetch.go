package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"hone/core/checkpoint"
	"hone/core/recipe"
	"hone/core/wire"
)

// fetchPlaces brings what the recipe names to this machine and says where it stands.
func (a *attempt) fetchPlaces(ctx context.Context) (map[string]string, error) {
	a.control.HubsOnly = true // what was not sent is on a hub: a name never means something of this machine's own disk
	needed := map[string]int64{}
	for _, p := range a.record.Places {
		for _, f := range p.Files {
			needed[f.SHA256] = f.Size
		}
	}
	if err := a.w.makeRoom(needed); err != nil {
		return nil, err
	}
	places := map[string]string{}
	for i, p := range a.record.Places {
		dir := filepath.Join(a.dir, "places", strconv.Itoa(i))
		path := filepath.Join(dir, label(recipe.Recipe{Model: p.Name}))
		for _, f := range p.Files {
			to := filepath.Join(path, filepath.FromSlash(f.Path))
			if !p.Folder {
				to = filepath.Join(dir, filepath.Base(filepath.FromSlash(f.Path)))
				path = to
			}
			if !localPath(f.Path) {
				return nil, fmt.Errorf("%q cannot be the path of a file", f.Path)
			}
			if err := a.fetchFile(ctx, f, to); err != nil {
				return nil, err
			}
		}
		places[p.Name] = path
	}
	return places, nil
}

// fetchFile brings a user's file here, or links the copy that an earlier job has brought.
func (a *attempt) fetchFile(ctx context.Context, f wire.Blob, to string) error {
	kept := a.w.kept(f.SHA256)
	if st, err := os.Stat(kept); err != nil || st.Size() != f.Size {
		get, cancel := context.WithTimeout(ctx, transferTime(f.Size))
		defer cancel()
		o, err := a.b.files.Get(get, f.SHA256)
		if err != nil {
			return fmt.Errorf("the file %s: %w", f.Path, err)
		}
		err = receive(o, kept)
		o.Close()
		if err != nil {
			return fmt.Errorf("the file %s: %w", f.Path, err)
		}
	}
	a.w.used(f.SHA256)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if os.Link(kept, to) == nil {
		return nil
	}
	in, err := os.Open(kept) // another file system has no links to it
	if err != nil {
		return err
	}
	defer in.Close()
	return receive(in, to)
}

// receive writes a file that gets its name when it is whole. The engine's reader ends with an error where the bytes are not
// those that were stored.
func receive(in io.Reader, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".receiving-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(f, in)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// fetchState brings the run directory as of the last State: the newest checkpoint, and of the others what the run may need. One
// that keeps all is not hindered by how many there are.
func (a *attempt) fetchState(ctx context.Context) error {
	r, u := a.record, a.uploader
	state := r.State
	if state == nil {
		state = &State{Step: -1}
	}
	for _, sha := range state.objects() {
		u.inState[sha] = true
	}
	var none []*kept
	err := a.b.eachCheckpoint(ctx, r.User, r.ID, func(k *kept) error {
		u.has(k)
		// A worker died before the record named it, or before it had removed it; or the run went away and came with an earlier State.
		if k.step > state.Step || slices.Contains(state.Gone, k.step) {
			none = append(none, k)
		}
		return nil
	})
	for _, k := range none {
		if err == nil {
			err = u.remove(ctx, k)
			delete(u.kept, k.step)
		}
	}
	if err != nil || r.State == nil {
		return err
	}
	a.timed = slices.Clone(state.Timed)
	a.runDir = filepath.Join(a.dir, "output", filepath.FromSlash(r.ID))
	u.log.pieces = slices.Clone(state.Log)
	for _, f := range state.Files {
		if err := a.fetchOf(ctx, f, func(ctx context.Context) (io.ReadCloser, error) { return a.b.openOwn(ctx, r, f) }); err != nil {
			return err
		}
	}
	if there, err := a.fetchCheckpoint(ctx, state.Step); err != nil {
		return err
	} else if !there {
		return fmt.Errorf("run %s has no checkpoint of its State, step %d", r.ID, state.Step)
	}
	last, err := checkpoint.Load(filepath.Join(a.runDir, checkpointName(state.Step)))
	if err != nil {
		return err
	}
	for step := range u.kept {
		// Where there is a limit, the run removes the oldest, and has to see them.
		if step == state.Step || a.recipe.SaveTotalLimit <= 0 && step != last.BestStep {
			continue
		}
		if _, err := a.fetchCheckpoint(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// fetchCheckpoint brings one of the run's checkpoints; a predecessor may have removed it a moment ago.
func (a *attempt) fetchCheckpoint(ctx context.Context, step int) (there bool, err error) {
	r := a.record
	k, err := a.b.checkpoint(ctx, r.User, r.ID, step)
	if err != nil || k == nil {
		return false, err
	}
	for _, f := range k.Files {
		if err := a.fetchOf(ctx, f, func(ctx context.Context) (io.ReadCloser, error) {
			return a.b.open(ctx, r.ID, k.object(r.User, r.ID, f.SHA256))
		}); err != nil {
			return false, err
		}
	}
	a.uploader.fetched(step)
	return true, nil
}

// fetchOf brings one file of the run directory.
func (a *attempt) fetchOf(ctx context.Context, f wire.Blob, open func(context.Context) (io.ReadCloser, error)) error {
	if !localPath(f.Path) {
		return fmt.Errorf("%q cannot be the path of a file", f.Path)
	}
	ctx, cancel := context.WithTimeout(ctx, transferTime(f.Size))
	defer cancel()
	in, err := open(ctx)
	if err == nil {
		err = receive(in, filepath.Join(a.runDir, filepath.FromSlash(f.Path)))
		in.Close()
	}
	if err != nil {
		return fmt.Errorf("%s of run %s: %w", f.Path, a.record.ID, err)
	}
	return nil
}
