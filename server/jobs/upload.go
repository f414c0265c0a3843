package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hone/core/checkpoint"
	"hone/core/wire"
)

// uploader stores States beside the training. When the run saves faster than States are stored, it goes on with the newest.
type uploader struct {
	ctx   context.Context
	a     *attempt
	fail  func(error)
	next  chan snapshot // holds the newest one that waits
	ended chan struct{}
	err   error
	known map[string]wire.Blob // checkpoint files that have been stored, by path; they never change
}

// snapshot is a run directory at a moment: files that go on changing with their content, whole checkpoints by name.
type snapshot struct {
	step        int
	small       map[string][]byte
	checkpoints []string
	timed       []int
	steps       int
	loss, eval  float64
	told        <-chan error // when the events of its steps are written
}

func newUploader(ctx context.Context, a *attempt, fail func(error)) *uploader {
	u := &uploader{ctx: ctx, a: a, fail: fail, next: make(chan snapshot, 1), ended: make(chan struct{}), known: map[string]wire.Blob{}}
	go func() {
		defer close(u.ended)
		for s := range u.next {
			if u.err = u.store(s); errors.Is(u.err, errFenced) {
				u.fail(errFenced)
			}
		}
	}()
	return u
}

// has says that a file is stored already; only before the first snapshot.
func (u *uploader) has(f wire.Blob) {
	if strings.Contains(f.Path, "/") {
		u.known[f.Path] = f
	}
}

// close stores what waits and gives the error of the newest State.
func (u *uploader) close() error {
	close(u.next)
	<-u.ended
	return u.err
}

// capture takes a snapshot, in the run's goroutine, so that nothing changes meanwhile.
func (a *attempt) capture() {
	r := checkpoint.Run{Dir: a.runDir}
	last, ok, err := r.Latest()
	if err != nil || !ok {
		return // nothing to go on from yet
	}
	all, err := r.Checkpoints()
	if err != nil {
		return
	}
	a.mu.Lock()
	s := snapshot{step: last.Step, small: map[string][]byte{}, timed: append([]int(nil), a.timed...), steps: a.steps, loss: a.loss, eval: a.eval}
	a.mu.Unlock()
	for _, c := range all {
		s.checkpoints = append(s.checkpoints, filepath.Base(c.Dir))
	}
	for _, name := range []string{checkpoint.ArgsFile, checkpoint.ManifestFile, checkpoint.LogFile} {
		raw, err := os.ReadFile(filepath.Join(a.runDir, name))
		if err == nil {
			s.small[name] = raw
		}
	}
	s.told = a.events.mark()
	select {
	case <-a.uploader.next: // an older one that waits is of no use any more
	default:
	}
	a.uploader.next <- s
}

// store puts a snapshot into the store and makes it the run's State. It tries until it is done or the context ends: an engine
// that is away comes back.
func (u *uploader) store(s snapshot) error {
	// Who goes on from a State does not tell again of the steps before it. So these are told first.
	select {
	case err := <-s.told:
		if err != nil {
			return err
		}
	case <-u.ctx.Done():
		return u.ctx.Err()
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := u.try(s)
		if err == nil || errors.Is(err, errFenced) || errors.Is(err, fs.ErrNotExist) {
			return err
		}
		var gone *NotFound
		if errors.As(err, &gone) {
			return errFenced
		}
		u.a.w.Log.Warn("storing a State failed; it is tried again", "run", u.a.record.ID, "step", s.step, "error", err)
		select {
		case <-u.ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

func (u *uploader) try(s snapshot) error {
	ctx, a := u.ctx, u.a
	state := &State{Step: s.step, Timed: s.timed}
	for name, raw := range s.small {
		sum := sha256.Sum256(raw)
		f := wire.Blob{Path: name, Size: int64(len(raw)), SHA256: hex.EncodeToString(sum[:])}
		object := stateObject(a.record.User, a.record.ID, f.SHA256)
		if err := a.b.put(ctx, a.b.states, object, f.Size, func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(raw)), nil
		}); err != nil {
			return err
		}
		state.Files = append(state.Files, f)
	}
	for _, c := range s.checkpoints {
		files, err := u.checkpoint(ctx, c)
		if err != nil {
			// A checkpoint that was removed meanwhile is none of the newest State, unless it is the newest itself.
			if errors.Is(err, fs.ErrNotExist) && c != fmt.Sprintf("checkpoint-%d", s.step) {
				continue
			}
			return err
		}
		state.Files = append(state.Files, files...)
	}
	var before *State
	err := a.write(ctx, func(r *Record) {
		before = r.State
		progress := r.State == nil || s.step > r.State.Step
		r.State, r.Step, r.Steps = state, s.step, s.steps
		if s.loss != 0 {
			r.Loss = s.loss
		}
		if s.eval != 0 && (r.EvalLoss == 0 || s.eval < r.EvalLoss) {
			r.EvalLoss = s.eval
		}
		if progress {
			r.Fruitless = 0
		}
	})
	if err != nil {
		return err
	}
	u.drop(ctx, before, state)
	return nil
}

// checkpoint stores the files of one.
func (u *uploader) checkpoint(ctx context.Context, name string) ([]wire.Blob, error) {
	a := u.a
	var files []wire.Blob
	err := filepath.WalkDir(filepath.Join(a.runDir, name), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(a.runDir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		f, ok := u.known[rel]
		if st, err := e.Info(); err != nil {
			return err
		} else if !ok || st.Size() != f.Size {
			f = wire.Blob{Path: rel}
			if f.SHA256, f.Size, err = hashOf(path); err != nil {
				return err
			}
			if err := a.b.store(ctx, a.b.states, stateObject(a.record.User, a.record.ID, f.SHA256), path); err != nil {
				return err
			}
			u.known[rel] = f
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

// drop removes what only the State before had. What cannot be removed now is only in the way.
func (u *uploader) drop(ctx context.Context, before, now *State) {
	if before == nil {
		return
	}
	kept := map[string]bool{}
	for _, f := range now.Files {
		kept[f.SHA256] = true
	}
	for _, f := range before.Files {
		if !kept[f.SHA256] {
			kept[f.SHA256] = true
			if u.known[f.Path].SHA256 == f.SHA256 {
				delete(u.known, f.Path)
			}
			if err := u.a.b.states.Delete(ctx, stateObject(u.a.record.User, u.a.record.ID, f.SHA256)); err != nil {
				u.a.w.Log.Debug("an old file of a State stays", "error", err)
			}
		}
	}
}
