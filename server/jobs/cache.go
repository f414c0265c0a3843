package jobs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A worker keeps the files of users that it has fetched, below files/, by their hash: the next run on the same model begins at once. What
// was used longest ago goes when there are too many.

// mostKept is how many bytes a worker keeps where nothing else is said and its disk is large.
const mostKept = 100 << 30

// kept is where a worker keeps a file.
func (w *Worker) kept(sha string) string { return filepath.Join(w.Dir, "files", sha) }

// keeps is how many bytes of fetched files the worker keeps.
func (w *Worker) keeps() int64 {
	if w.Keep > 0 {
		return w.Keep
	}
	if total := diskSize(w.Dir); total > 0 {
		return min(total/4, mostKept)
	}
	return mostKept
}

// makeRoom removes files until those that stay, and those that are needed now with their sizes, are no more than the worker keeps. What is
// needed stays, however much it is.
func (w *Worker) makeRoom(needed map[string]int64) error {
	entries, err := os.ReadDir(filepath.Join(w.Dir, "files"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var bytes int64
	for _, size := range needed {
		bytes += size
	}
	var others []fs.FileInfo
	for _, e := range entries {
		if _, ok := needed[e.Name()]; ok || !hashShape.MatchString(e.Name()) {
			continue
		}
		st, err := e.Info()
		if err != nil {
			return err
		}
		bytes += st.Size()
		others = append(others, st)
	}
	slices.SortFunc(others, func(x, y fs.FileInfo) int { return x.ModTime().Compare(y.ModTime()) })
	for most := w.keeps(); bytes > most && len(others) > 0; others = others[1:] {
		if err := os.Remove(w.kept(others[0].Name())); err != nil {
			return err
		}
		bytes -= others[0].Size()
	}
	return nil
}

// used notes that a file is used now. Where that cannot be noted, it goes earlier than it should.
func (w *Worker) used(sha string) {
	now := time.Now()
	if err := os.Chtimes(w.kept(sha), now, now); err != nil {
		w.Log.Debug("the time of a fetched file stays", "error", err)
	}
}
