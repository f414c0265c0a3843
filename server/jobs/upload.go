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
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/checkpoint"
	"hone/core/wire"
)

// uploader stores States beside the training. When the run saves faster than States are stored, it goes on with the newest.
type uploader struct {
	ctx   context.Context
	a     *attempt
	fail  func(error)
	next  chan snapshot // holds the newest one that waits
	open  atomic.Int64  // snapshots that wait or are being stored
	ended chan struct{}
	err   error

	kept    map[int]holding // checkpoints that have entries, by step
	shared  map[string]int  // how many of them have a file, of those that share
	unnamed map[int]uint64  // revisions of entries that no record has named yet
	inState map[string]bool // files of the run itself that the newest record names
	full    map[int]bool    // checkpoints of this worker's disk for which the server has no room, see fit
	log     logStore
}

// holding is what an uploader remembers of a checkpoint.
type holding struct {
	bytes int64
	saved time.Time // when the one in the run directory here was written; zero: it lies at the server alone
}

// snapshot is a run directory at a moment: files that go on changing with their content, whole checkpoints by step.
type snapshot struct {
	step        int
	saved       time.Time // when the checkpoint of that step was written
	held        string    // a directory with that checkpoint as it is now, whatever the run removes; "": this disk has no links
	small       map[string][]byte
	log         *logFile // nil: there is none
	checkpoints []int
	timed       []int
	steps       int
	loss, eval  float64
	rate        float64      // the learning_rate that was set last
	told        <-chan error // when the events of its steps are written
}

func (s snapshot) close() {
	if s.log != nil {
		s.log.Close()
	}
	if s.held != "" {
		os.RemoveAll(s.held) // what stays goes with the attempt
	}
}

func newUploader(ctx context.Context, a *attempt, fail func(error)) *uploader {
	u := &uploader{ctx: ctx, a: a, fail: fail, next: make(chan snapshot, 1), ended: make(chan struct{}), kept: map[int]holding{}, shared: map[string]int{}, unnamed: map[int]uint64{}, inState: map[string]bool{}, full: map[int]bool{}}
	go func() {
		defer close(u.ended)
		for s := range u.next {
			u.err = u.store(s)
			s.close()
			u.open.Add(-1)
			if full := (*Refusal)(nil); errors.Is(u.err, errFenced) || errors.As(u.err, &full) {
				u.fail(u.err)
			}
		}
	}()
	return u
}

// close stores what waits and gives the error of the newest State.
func (u *uploader) close() error {
	close(u.next)
	<-u.ended
	return u.err
}

// has notes a checkpoint that is stored already; only before the first snapshot.
func (u *uploader) has(k *kept) {
	u.kept[k.step] = holding{bytes: bytesOf(k.Files)}
	if k.Shared {
		for _, f := range k.Files {
			u.shared[f.SHA256]++
		}
	}
}

// fetched notes that it lies in the run directory here as well.
func (u *uploader) fetched(step int) {
	h := u.kept[step]
	h.saved = savedAt(u.a.runDir, step)
	u.kept[step] = h
}

// savedAt is when a checkpoint was written; zero where there is none.
func savedAt(runDir string, step int) time.Time {
	st, err := os.Stat(filepath.Join(runDir, checkpointName(step), checkpoint.StateFile))
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}

func checkpointName(step int) string { return fmt.Sprintf("checkpoint-%d", step) }

// capture lets the run directory as it is now be stored.
func (a *attempt) capture() {
	s, ok := a.snapshot()
	if !ok {
		return // nothing to go on from yet
	}
	select {
	case older := <-a.uploader.next: // is of no use any more
		older.close()
		a.uploader.open.Add(-1)
	default:
	}
	a.uploader.open.Add(1)
	a.uploader.next <- s
}

// snapshot is taken in the run's goroutine, so that nothing changes meanwhile.
func (a *attempt) snapshot() (snapshot, bool) {
	r := checkpoint.Run{Dir: a.runDir}
	all, err := r.Checkpoints()
	if err != nil || len(all) == 0 {
		return snapshot{}, false
	}
	last := all[len(all)-1].Step
	a.mu.Lock()
	s := snapshot{step: last, saved: savedAt(a.runDir, last), small: map[string][]byte{}, timed: append([]int(nil), a.timed...), steps: a.steps, loss: a.loss, eval: a.eval, rate: a.rate}
	a.mu.Unlock()
	for _, c := range all {
		s.checkpoints = append(s.checkpoints, c.Step)
	}
	for _, name := range []string{checkpoint.ArgsFile, checkpoint.ManifestFile} {
		raw, err := os.ReadFile(filepath.Join(a.runDir, name))
		if err == nil {
			s.small[name] = raw
		}
	}
	if s.log, err = openLog(r, a.begins); err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.w.Log.Warn("the log of a run cannot be read; this State is stored without", "run", a.record.ID, "error", err)
	}
	if s.held, err = a.hold(last); err != nil {
		a.w.Log.Debug("a checkpoint is stored from the run directory", "run", a.record.ID, "error", err)
	}
	s.told = a.events.mark()
	return s, true
}

// hold keeps a checkpoint until it is stored, by links to its files: a run that saves faster than States are stored may remove it
// before, and then no State would ever be stored.
func (a *attempt) hold(step int) (held string, err error) {
	work := filepath.Join(a.dir, "storing")
	if err := os.MkdirAll(work, 0o700); err != nil {
		return "", err
	}
	if held, err = os.MkdirTemp(work, "*"); err != nil {
		return "", err
	}
	name := checkpointName(step)
	from := filepath.Join(a.runDir, name)
	err = filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		to := filepath.Join(held, name, rel)
		if e.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		return os.Link(path, to)
	})
	if err != nil {
		os.RemoveAll(held)
		return "", err
	}
	return held, nil
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
		if errors.Is(err, errFenced) {
			u.takeBack()
		}
		if full := (*Refusal)(nil); err == nil || errors.Is(err, errFenced) || errors.As(err, &full) {
			return err
		}
		if errors.Is(err, fs.ErrNotExist) { // where nothing could hold it
			u.a.w.Log.Warn("a State could not be stored: its checkpoint was removed meanwhile; the next one is stored", "run", u.a.record.ID, "step", s.step, "error", err)
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
		if err := u.own(f.SHA256, f.Size, bytes.NewReader(raw)); err != nil {
			return err
		}
		state.Files = append(state.Files, f)
	}
	if s.log != nil {
		f, pieces, err := u.log.store(s.log, func(p piece, in io.ReaderAt, from int64) error {
			return u.own(p.SHA256, p.Size, io.NewSectionReader(in, from, p.Size))
		})
		if err != nil {
			return err
		}
		state.Files, state.Log = append(state.Files, f), pieces
	}
	if err := u.fit(ctx, s, bytesOf(state.Files)); err != nil {
		return err
	}
	here := make(map[int]bool, len(s.checkpoints))
	for _, step := range s.checkpoints {
		if u.full[step] {
			continue
		}
		here[step] = true
		h, known := u.kept[step]
		// Checkpoints never change, but the newest may be saved again, when its user asks for what was saved in passing.
		if known && !h.saved.IsZero() && (step != s.step || h.saved.Equal(s.saved)) {
			continue
		}
		if err := u.checkpoint(ctx, u.root(s, step), step); err != nil {
			// One that was removed meanwhile is none of the newest State, unless it is the newest itself.
			if errors.Is(err, fs.ErrNotExist) && step != s.step {
				continue
			}
			return err
		}
	}
	for step, h := range u.kept {
		if u.full[step] || !h.saved.IsZero() && !here[step] { // there is no room, or it is not in the run directory any more
			state.Gone = append(state.Gone, step)
		} else if step <= s.step {
			state.Kept += h.bytes
		}
	}
	var before *State
	err := a.write(ctx, func(r *Record) {
		before = r.State
		progress := r.State == nil || s.step > r.State.Step
		r.State, r.Step, r.Steps = state, s.step, s.steps
		if r.Rate == s.rate { // the State has it; what was set since then it has not
			r.Rate = 0
		}
		if s.loss != 0 {
			r.Loss = s.loss
		}
		if s.eval != 0 && (r.EvalLoss == 0 || s.eval < r.EvalLoss) {
			r.EvalLoss = s.eval
		}
		if progress {
			r.Fruitless, r.Losses = 0, 0
		}
	})
	if err != nil {
		return err
	}
	clear(u.unnamed)
	u.drop(ctx, before, state)
	return nil
}

// own stores a file of the run itself, or a piece of one.
func (u *uploader) own(sha string, size int64, in io.Reader) error {
	b, r := u.a.b, u.a.record
	return b.put(u.ctx, b.states, stateObject(r.User, r.ID, sha), size, func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(in), nil
	})
}

// checkpoint stores the files of one, and then its entry.
func (u *uploader) checkpoint(ctx context.Context, root string, step int) error {
	a := u.a
	k := &kept{Attempt: a.record.Attempt, step: step}
	saved := savedAt(root, step)
	err := filepath.WalkDir(filepath.Join(root, checkpointName(step)), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f := wire.Blob{Path: filepath.ToSlash(rel)}
		if f.SHA256, f.Size, err = hashOf(path); err != nil {
			return err
		}
		k.Files = append(k.Files, f)
		return a.b.store(ctx, a.b.states, k.object(a.record.User, a.record.ID, f.SHA256), path)
	})
	if err != nil {
		return err
	}
	if saved.IsZero() || !savedAt(root, step).Equal(saved) { // it was removed on the way: what was listed may be a part of it
		return fmt.Errorf("%s: %w", checkpointName(step), fs.ErrNotExist)
	}
	before, err := a.b.keep(ctx, a.record.User, a.record.ID, k)
	if err != nil {
		return err
	}
	u.kept[step] = holding{bytes: bytesOf(k.Files), saved: saved}
	u.unnamed[step] = k.revision
	if before != nil {
		u.free(ctx, before, k)
	}
	return nil
}

// takeBack removes entries that this attempt has written when the run was another's already: what they name may have been removed
// in between. Those that a record has named stay, and those that others have written since.
func (u *uploader) takeBack() {
	b, r := u.a.b, u.a.record
	now, _, err := b.get(u.ctx, r.User, r.ID)
	var gone *NotFound
	if err != nil && !errors.As(err, &gone) {
		return
	}
	for step, revision := range u.unnamed {
		if err != nil || now.State == nil || now.State.Step < step {
			if err := b.checkpoints.Delete(u.ctx, keptKey(r.User, r.ID, step), jetstream.LastRevision(revision)); err != nil {
				u.a.w.Log.Debug("a checkpoint that is none stays", "error", err)
			}
		}
	}
}

// remove removes a checkpoint: the entry, then its files.
func (u *uploader) remove(ctx context.Context, k *kept) error {
	err := u.a.b.unlist(ctx, u.a.record.User, u.a.record.ID, k.step)
	if err == nil {
		u.free(ctx, k, nil)
	}
	return err
}

// free erases the files of a checkpoint whose entry is gone, or is now that of another one, but those that are needed.
func (u *uploader) free(ctx context.Context, old, now *kept) {
	b, r := u.a.b, u.a.record
	needed := map[string]bool{}
	if now != nil && !old.Shared {
		for _, f := range now.Files {
			needed[f.SHA256] = true
		}
	}
	for _, f := range old.Files {
		if old.Shared {
			u.shared[f.SHA256]--
		}
		if needed[f.SHA256] || old.Shared && (u.shared[f.SHA256] > 0 || u.inState[f.SHA256]) {
			continue
		}
		needed[f.SHA256] = true
		if err := b.erase(ctx, b.states, old.object(r.User, r.ID, f.SHA256)); err != nil {
			u.a.w.Log.Debug("an old file of a checkpoint stays", "error", err)
		}
	}
}

// drop removes what only the State before had. What cannot be removed now is only in the way.
func (u *uploader) drop(ctx context.Context, before, now *State) {
	b, r := u.a.b, u.a.record
	u.inState = map[string]bool{}
	for _, sha := range now.objects() {
		u.inState[sha] = true
	}
	for _, step := range now.Gone {
		k, err := b.checkpoint(ctx, r.User, r.ID, step)
		if err == nil && k != nil {
			err = u.remove(ctx, k)
		}
		if err != nil {
			u.a.w.Log.Debug("an old checkpoint stays", "error", err)
			continue // with the next State it is tried again, or by the next worker
		}
		delete(u.kept, step)
	}
	old := before.objects()
	for _, p := range u.log.gone {
		old = append(old, p.SHA256)
	}
	u.log.gone = nil
	done := map[string]bool{}
	for _, sha := range old {
		if done[sha] || u.inState[sha] || u.shared[sha] > 0 {
			continue
		}
		done[sha] = true
		if err := b.erase(ctx, b.states, stateObject(r.User, r.ID, sha)); err != nil {
			u.a.w.Log.Debug("an old file of a State stays", "error", err)
		}
	}
}
