// Package move carries runs between this host and a server: what a recipe names, and the State with the run directory. A run
// that goes on elsewhere has the names it began with, the same order of its rows, and the same next step.
package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hone/core/checkpoint"
	"hone/core/data"
	"hone/core/hub"
	"hone/core/link"
	"hone/core/recipe"
	"hone/core/run"
	"hone/core/wire"
)

// Load is what leaves this machine.
type Load struct {
	Recipe recipe.Recipe
	Places []wire.Place
	From   *wire.Carried // the run that moves, without files if it has no State yet; nil: a new one

	hubs  []string          // what the server fetches for itself
	paths map[string]string // of the files here, by hash
	order []wire.Blob       // each content once
}

// Bytes of all files.
func (l *Load) Bytes() (n int64) {
	for _, b := range l.order {
		n += b.Size
	}
	return n
}

// FromHub are the names of a hub that the recipe has: the server fetches them for itself.
func (l *Load) FromHub() []string { return l.hubs }

// Count of the files.
func (l *Load) Count() int { return len(l.order) }

// Gather finds the files that a recipe names on this machine. Names of a hub stay: the server fetches them for itself.
func Gather(r recipe.Recipe) (*Load, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if err := run.Absolute(&r); err != nil {
		return nil, err
	}
	l := &Load{Recipe: r, paths: map[string]string{}}
	model := r.Model
	if model == "" {
		model = r.ModelType
	}
	if err := l.folder("model", model, checkpoint.ModelFiles); err != nil {
		return nil, err
	}
	if r.Adapter != "" {
		if err := l.folder("adapter", r.Adapter, filesIn); err != nil {
			return nil, err
		}
	}
	for _, entry := range append(slices.Clone(r.Dataset), r.ValDataset...) {
		name, _, err := data.ParseSpec(entry)
		if err == nil {
			err = l.rows(name)
		}
		if err != nil {
			return nil, err
		}
	}
	return l, nil
}

// travels lists the checkpoints of a run that go along when it moves: the last one, and the best one where there is such a thing.
// Others that were kept stay where they are.
func travels(dir string) ([]checkpoint.Checkpoint, error) {
	all, err := checkpoint.Run{Dir: dir}.Checkpoints()
	if err != nil || len(all) == 0 {
		return nil, err
	}
	last := all[len(all)-1]
	state, err := checkpoint.Load(last.Dir)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c checkpoint.Checkpoint) bool {
		return c.Step != last.Step && !(state.BestStep > 0 && c.Step == state.BestStep)
	}), nil
}

// GatherBegun adds a run of this machine that ended before it had a State: only its name travels with what its recipe names, and it
// begins elsewhere.
func GatherBegun(dir string) (*Load, error) {
	r := checkpoint.Run{Dir: dir}
	raw, err := r.ReadArgs()
	if err != nil {
		return nil, err
	}
	old, err := recipe.FromJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(r.Dir, checkpoint.ArgsFile), err)
	}
	l, err := Gather(old)
	if err == nil {
		l.From = &wire.Carried{Run: filepath.Base(filepath.Dir(r.Dir)) + "/" + filepath.Base(r.Dir)}
	}
	return l, err
}

// GatherRun adds a run of this machine as of its last State. Nobody may work on it meanwhile.
func GatherRun(dir string) (*Load, error) {
	r, last, err := checkpoint.Find(dir)
	if err != nil {
		return nil, err
	}
	if newest, ok, err := r.Latest(); err != nil {
		return nil, err
	} else if ok && newest.Step != last.Step {
		return nil, fmt.Errorf("%s is not the last State of its run, which is of step %d and is what moves; name the run, %s, or go on here from that checkpoint first", dir, newest.Step, r.Dir)
	}
	l, err := GatherBegun(r.Dir)
	if err != nil {
		return nil, err
	}
	l.From.Step = last.Step
	l.From.Files, err = l.state(r.Dir)
	return l, err
}

// State lists what goes along of a run itself when it moves. It is for who only looks: the run may go on meanwhile, and where it has just
// removed a checkpoint the error is fs.ErrNotExist. A run without a State has nothing.
func State(dir string) ([]wire.Blob, error) {
	return (&Load{paths: map[string]string{}}).state(dir)
}

// state adds the files of a run's last State.
func (l *Load) state(dir string) (files []wire.Blob, err error) {
	all, err := travels(dir)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	own := []string{checkpoint.ArgsFile, checkpoint.ManifestFile, checkpoint.LogFile}
	names := slices.Clone(own)
	for _, p := range all {
		err := filepath.WalkDir(p.Dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				var rel string
				rel, err = filepath.Rel(dir, path)
				names = append(names, filepath.ToSlash(rel))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		b, err := l.add(filepath.Join(dir, filepath.FromSlash(name)), name)
		if errors.Is(err, fs.ErrNotExist) && slices.Contains(own, name) {
			continue // a run that has logged nothing yet
		}
		if err != nil {
			return nil, err
		}
		files = append(files, b)
	}
	return files, nil
}

// folder adds a directory that a recipe names.
func (l *Load) folder(what, name string, list func(string) ([]string, error)) error {
	st, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) && hub.IsName(name) {
		l.hubs = append(l.hubs, name)
		return nil
	}
	if l.has(name) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, name, err)
	}
	if !st.IsDir() {
		return fmt.Errorf("%s %s: it is no directory", what, name)
	}
	files, err := list(name)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s %s: there is nothing in it that could be sent", what, name)
	}
	p := wire.Place{Name: name, Folder: true}
	for _, f := range files {
		b, err := l.add(f, filepath.Base(f))
		if err != nil {
			return err
		}
		p.Files = append(p.Files, b)
	}
	l.Places = append(l.Places, p)
	return nil
}

// rows adds a data set: a file, or a folder of files.
func (l *Load) rows(name string) error {
	st, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) && hub.IsName(name) {
		l.hubs = append(l.hubs, name)
		return nil
	}
	if l.has(name) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("dataset %s: %w", name, err)
	}
	p := wire.Place{Name: name, Folder: st.IsDir()}
	place, err := hub.Dataset(context.Background(), name, hub.Options{}) // the files that a run would read
	if err != nil {
		return err
	}
	for _, f := range place.Files {
		rel, err := filepath.Rel(name, f)
		if err != nil || !filepath.IsLocal(rel) || rel == "." { // the rows of a table lie elsewhere
			rel = filepath.Base(f)
		}
		b, err := l.add(f, filepath.ToSlash(rel))
		if err != nil {
			return err
		}
		p.Files = append(p.Files, b)
	}
	l.Places = append(l.Places, p)
	return nil
}

func (l *Load) has(name string) bool {
	return slices.ContainsFunc(l.Places, func(p wire.Place) bool { return p.Name == name })
}

// add hashes a file.
func (l *Load) add(path, rel string) (wire.Blob, error) {
	h, err := checkpoint.HashFile(path)
	if err != nil {
		return wire.Blob{}, err
	}
	b := wire.Blob{Path: rel, Size: h.Size, SHA256: h.SHA256}
	if _, ok := l.paths[b.SHA256]; !ok {
		l.paths[b.SHA256] = path
		l.order = append(l.order, b)
	}
	return b, nil
}

// filesIn lists the files of a directory.
func filesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var files []string
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); !strings.HasPrefix(e.Name(), ".") {
			if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
				files = append(files, path)
			}
		}
	}
	return files, err
}

// Progress says how far sending or taking files has come.
type Progress struct {
	File        string
	Done, Total int64 // bytes, of all files
}

// checkpointPrefix begins the paths of the files that only a run has.
const checkpointPrefix = "checkpoint-"

// Of asks a server for a file as one of a run: those of checkpoints may be there since the run was there before.
func Of(to link.Files, run string, b wire.Blob) link.Files {
	if strings.HasPrefix(b.Path, checkpointPrefix) {
		to.Run = run
	}
	return to
}

// Send brings to a server what it does not have.
func (l *Load) Send(ctx context.Context, to link.Files, tell func(Progress)) error {
	done, total := int64(0), l.Bytes()
	for _, b := range l.order {
		path, to := l.paths[b.SHA256], to
		if l.From != nil {
			to = Of(to, l.From.Run, b)
		}
		err := to.Send(ctx, b, func(offset int64) (io.ReadCloser, error) { return openAt(path, offset) }, func(have int64) {
			if tell != nil {
				tell(Progress{filepath.Base(path), done + have, total})
			}
		})
		if err != nil {
			return err
		}
		done += b.Size
	}
	return nil
}

func openAt(path string, offset int64) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Start is the request that lets the server begin, once all files are there. key makes asking again harmless.
func (l *Load) Start(key string, priority int) (wire.Start, error) {
	raw, err := l.Recipe.ToJSON()
	return wire.Start{Recipe: raw, Places: l.Places, From: l.From, Key: key, Priority: priority}, err
}
