package jobs

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"hone/core/checkpoint"
)

// A worker that is told to end stores a last State of the run under way.

// workDir is where a process keeps the run under way, below the directory of its worker.
func workDir(home string, pid int) string { return filepath.Join(home, "work", strconv.Itoa(pid)) }

// StoringTime is how long the process of a worker may take to store what it has of the run under way, below home.
func StoringTime(home string, pid int) time.Duration {
	dir := workDir(home, pid)
	size := sizeOf(filepath.Join(dir, "storing"))
	for _, run := range checkpoint.Glob(dir, "output/*/v*") {
		if all, err := (checkpoint.Run{Dir: run}).Checkpoints(); err == nil && len(all) > 0 {
			size += sizeOf(all[len(all)-1].Dir) // the last one will be about as large
		}
	}
	return transferTime(size)
}

// sizeOf counts the bytes below a directory, as far as it is there.
func sizeOf(dir string) (size int64) {
	filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		if st, err := e.Info(); err == nil {
			size += st.Size()
		}
		return nil
	})
	return size
}

// lastWords waits while an attempt that has to end may still store its State: as long as its size needs, or one lease where the
// engine is away, which does not keep a worker from ending.
func (a *attempt) lastWords(ctx context.Context) {
	tick := time.NewTicker(max(a.b.Lease()/10, 10*time.Millisecond))
	defer tick.Stop()
	began := time.Now()
	heard := began
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if a.b.nc.IsConnected() {
			heard = time.Now()
		}
		if time.Since(heard) > a.b.Lease() || time.Since(began) > a.b.Lease() && time.Since(began) > StoringTime(a.w.Dir, os.Getpid()) {
			return
		}
	}
}

// tidy removes what workers left in this directory that died: runs under way, and files that had come in part.
func (w *Worker) tidy() error {
	for _, path := range checkpoint.Glob(w.Dir, "files/.receiving-*") {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(w.Dir, "work"))
}
