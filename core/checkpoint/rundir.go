package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Run is a run directory.
type Run struct{ Dir string }

// Checkpoint is a complete checkpoint of a run.
type Checkpoint struct {
	Step int
	Dir  string
}

// Create makes the directory <outputDir>/<model>/v<N>-<YYYYMMDD-HHMMSS>, where N is the next number that is free and model is
// the last part of the model's path or id. Two runs that start in the same moment get different numbers. A tag, if there is one,
// stands behind a hyphen at the end: it tells apart what different machines begin in the same second.
func Create(outputDir, model, tag string, now time.Time) (Run, error) {
	parent := filepath.Join(outputDir, modelName(model))
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return Run{}, fmt.Errorf("making the directory of the run: %w", explain(err))
	}
	for {
		n, err := nextNumber(parent)
		if err != nil {
			return Run{}, err
		}
		// The time in its name would let two directories share a number, so the number is claimed first.
		claim := filepath.Join(parent, fmt.Sprintf(".v%d", n))
		f, err := os.OpenFile(claim, os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return Run{}, fmt.Errorf("making the directory of the run: %w", explain(err))
		}
		f.Close()
		defer os.Remove(claim)
		// Who had the claim before may have made the directory and gone between the listing and the claim.
		if len(Glob(parent, fmt.Sprintf("v%d-*", n))) > 0 {
			os.Remove(claim)
			continue
		}
		name := fmt.Sprintf("v%d-%s", n, now.Format("20060102-150405"))
		if tag != "" {
			name += "-" + tag
		}
		dir := filepath.Join(parent, name)
		if err := os.Mkdir(dir, 0o777); err != nil {
			return Run{}, fmt.Errorf("making the directory of the run: %w", explain(err))
		}
		return Run{dir}, nil
	}
}

var runName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^v([0-9]{1,9})-([0-9]{8}-[0-9]{6})(?:-[0-9a-z]{1,16})?$`)
})

// ParseName reads the name of a run's directory, as Create gives it: its number, and when it was started, YYYYMMDD-HHMMSS.
func ParseName(name string) (number int, started string, ok bool) {
	m := runName().FindStringSubmatch(name)
	if m == nil {
		return 0, "", false
	}
	number, _ = strconv.Atoi(m[1]) // nine digits
	return number, m[2], true
}

// nextNumber is one more than the highest number among runs and claims, counted from 0 as ms-swift does.
func nextNumber(parent string) (int, error) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return 0, err
	}
	next := 0
	for _, e := range entries {
		digits, ok := strings.CutPrefix(strings.TrimPrefix(e.Name(), "."), "v")
		digits, _, _ = strings.Cut(digits, "-")
		if n, err := strconv.Atoi(digits); ok && err == nil && n >= next && n < 1<<31 {
			next = n + 1
		}
	}
	return next, nil
}

// modelName makes one directory name out of a path or an id such as Qwen/Qwen2.5-0.5B.
func modelName(model string) string {
	name := filepath.Base(filepath.FromSlash(model))
	if name == "." || name == ".." {
		if abs, err := filepath.Abs(model); err == nil {
			name = filepath.Base(abs)
		}
	}
	name = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	if name = strings.TrimLeft(name, "."); name == "" || name == "_" {
		return "model"
	}
	return name
}

// Find finds what resume_from_checkpoint means: a checkpoint, or a run directory, of which it is the last checkpoint. It cleans
// the run directory first.
func Find(path string) (Run, Checkpoint, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Run{}, Checkpoint{}, err
	}
	if step, ok := StepOf(filepath.Base(abs)); ok {
		run := Run{filepath.Dir(abs)}
		if err := Clean(run.Dir); err != nil {
			return Run{}, Checkpoint{}, fmt.Errorf("resuming from %s: %w", path, err)
		}
		if _, err := os.Stat(filepath.Join(abs, StateFile)); err != nil {
			return Run{}, Checkpoint{}, fmt.Errorf("resuming from %s: there is no %s; name a checkpoint that Hone wrote, or its run directory", path, StateFile)
		}
		return run, Checkpoint{step, abs}, nil
	}
	if strings.HasPrefix(filepath.Base(abs), tmpPrefix) {
		return Run{}, Checkpoint{}, fmt.Errorf("resuming from %s: this checkpoint was never finished; name an earlier one", path)
	}
	run := Run{abs}
	if err := Clean(abs); err != nil {
		return Run{}, Checkpoint{}, fmt.Errorf("resuming from %s: %w", path, err)
	}
	last, ok, err := run.Latest()
	if err != nil {
		return Run{}, Checkpoint{}, fmt.Errorf("resuming from %s: %w", path, err)
	}
	if !ok {
		return Run{}, Checkpoint{}, fmt.Errorf("resuming from %s: it has no checkpoint; name a checkpoint-<step> directory, or a run directory that has one", path)
	}
	return run, last, nil
}

// Checkpoints lists the complete checkpoints by rising step.
func (r Run) Checkpoints() ([]Checkpoint, error) {
	entries, err := os.ReadDir(r.Dir)
	if err != nil {
		return nil, err
	}
	var out []Checkpoint
	for _, e := range entries {
		step, ok := StepOf(e.Name())
		dir := filepath.Join(r.Dir, e.Name())
		if !ok {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, StateFile)); err == nil {
			out = append(out, Checkpoint{step, dir})
		}
	}
	slices.SortFunc(out, func(a, b Checkpoint) int { return a.Step - b.Step })
	return out, nil
}

// Latest is the checkpoint with the highest step, if there is any.
func (r Run) Latest() (Checkpoint, bool, error) {
	all, err := r.Checkpoints()
	if err != nil || len(all) == 0 {
		return Checkpoint{}, false, err
	}
	return all[len(all)-1], true, nil
}

// RemoveAfter removes the checkpoints of later steps: a run that goes on from an earlier one writes them again.
func (r Run) RemoveAfter(step int) error {
	all, err := r.Checkpoints()
	if err != nil {
		return err
	}
	for _, c := range slices.Backward(all) {
		if c.Step > step {
			if err := r.remove(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// Rewind brings the run directory to the moment of a checkpoint, from which the run goes on: later checkpoints and later lines
// of the log go.
func (r Run) Rewind(c Checkpoint) error {
	if err := r.RemoveAfter(c.Step); err != nil {
		return err
	}
	_, err := r.CutLog(c.Step)
	return err
}

// Prune removes the oldest checkpoints until limit are left (save_total_limit; 0 keeps all) and returns their steps. It never
// removes the newest nor the one of step best (negative for none), so with limit 1 two may be left.
func (r Run) Prune(limit, best int) ([]int, error) {
	all, err := r.Checkpoints()
	if err != nil || limit <= 0 {
		return nil, err
	}
	var removed []int
	for i, c := range all {
		if len(all)-len(removed) <= limit {
			break
		}
		if c.Step == best || i == len(all)-1 {
			continue
		}
		if err := r.remove(c); err != nil {
			return removed, err
		}
		removed = append(removed, c.Step)
	}
	return removed, nil
}

// Remove removes one checkpoint.
func (r Run) Remove(dir string) error {
	step, ok := StepOf(filepath.Base(dir))
	if !ok || filepath.Dir(dir) != r.Dir {
		return fmt.Errorf("%s is no checkpoint of %s", dir, r.Dir)
	}
	return r.remove(Checkpoint{step, dir})
}

// remove takes a checkpoint's name away before its files, so that a kill in between leaves nothing that looks complete.
func (r Run) remove(c Checkpoint) error {
	gone := filepath.Join(r.Dir, gonePrefix+filepath.Base(c.Dir))
	err := removeAll(gone)
	if err == nil {
		err = rename(c.Dir, gone)
	}
	if err == nil {
		err = removeAll(gone)
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", c.Dir, explain(err))
	}
	return nil
}

// WriteArgs records the resolved recipe.
func (r Run) WriteArgs(recipe []byte) error { return replace(filepath.Join(r.Dir, ArgsFile), recipe) }

// ReadArgs reads the recipe that the run recorded.
func (r Run) ReadArgs() ([]byte, error) {
	data, err := readSmall(filepath.Join(r.Dir, ArgsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no %s, which says how the run began; name a directory that Hone wrote", r.Dir, ArgsFile)
	}
	return data, err
}
