package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"hone/core/checkpoint"
	"hone/core/wire"
)

// mark is what .host/going.json says of the run that goes on, for whoever opens the workspace next.
type mark struct {
	Run    string `json:"run"`
	Paused bool   `json:"paused,omitempty"`
	Tries  int    `json:"tries,omitempty"` // how often it has been gone on with since a step was done
}

// mostTries is how often a run is gone on with by itself without a step done: one that brings the process down would do so for ever.
const mostTries = 3

func (h *Host) markPath() string { return filepath.Join(h.dir, hidden, "going.json") }

// leftovers are files that nobody asks for any more once the workspace is opened again: what was being stored when its tab was closed,
// and what was made for the user to take away.
var leftovers = []string{dataDir + "/.put-*", modelsDir + "/*/.put-*", modelsDir + "/*/*/.put-*", exportsDir + "/*"}

// sweep removes them. One that another tab is just storing is in use, which keeps it.
func (h *Host) sweep() {
	for _, pattern := range leftovers {
		for _, path := range checkpoint.Glob(h.dir, pattern) {
			os.RemoveAll(path)
		}
	}
	for _, path := range checkpoint.Glob(h.dir, fetchedDir+"/*") {
		if st, err := os.Stat(path); err == nil && time.Since(st.ModTime()) > restKept {
			os.Remove(path)
		}
	}
}

// restKept is how long the beginning of rows whose download broke off waits for somebody who asks for the rest.
const restKept = 24 * time.Hour

// GoOn goes on with the run that was going on when the workspace was last closed, or its process or tab ended. It gives the run's
// ID; "" where there is none. One that cannot be gone on with has failed, and says so as any run does.
func (h *Host) GoOn(ctx context.Context) (string, error) {
	id, err := h.goOn(ctx)
	tell := func() {}
	if err != nil {
		tell = h.endInstead(id, err)
	}
	h.mu.Lock()
	h.unfinished = ""
	h.mu.Unlock()
	tell()
	return id, err
}

func (h *Host) goOn(ctx context.Context) (string, error) {
	h.sweep()
	h.rejoin()
	var m mark
	if !readFile(h.markPath(), &m) || m.Run == "" {
		return "", nil
	}
	if m.Tries >= mostTries {
		return m.Run, fmt.Errorf("run %s was gone on with %d times and ended each time before its next step; it is kept, and Resume tries again", m.Run, m.Tries)
	}
	if h.awayRun(m.Run) != nil { // it was about to leave
		return "", nil
	}
	_, err := h.again(ctx, m, func(string, any) {})
	if to := h.refuge(err); to != "" { // there was room for it, and now there is not
		return m.Run, h.moveUp(ctx, m.Run, wire.Server{URL: to}, func(string, any) {})
	}
	return m.Run, err
}

// errStopped says that the user, or the end of the workspace, was quicker than the run.
var errStopped error = &wire.Refused{Status: wire.StatusStopped, Text: "the run was stopped before it began"}

// endInstead writes down that a run, which nobody works on any more, has ended, and why. What it gives back tells of it.
func (h *Host) endInstead(id string, why error) (tell func()) {
	nobody := func() {}
	h.mu.Lock()
	closed := h.closed
	h.mu.Unlock()
	if closed { // it goes on when the workspace is opened again
		return nobody
	}
	os.Remove(h.markPath())
	dir, err := h.runDir(id)
	if err != nil { // it was deleted
		return nobody
	}
	s := standingIn(dir)
	var e wire.Event = wire.Failed{Step: s.Saved, Reason: why.Error()}
	if errors.Is(why, errStopped) {
		e = wire.Finished{Step: s.Saved, Stopped: "interrupted"}
	}
	s.take(e)
	_ = replaceFile(filepath.Join(dir, standingFile), s) // it can be found out again
	j, err := openJournal(dir, id, 0)
	if err != nil {
		return nobody // who hears it would not find it again
	}
	defer j.close()
	f, err := j.add(e, 0)
	if err != nil {
		return nobody
	}
	return func() { h.tell(f) }
}

// marked is the run that GoOn will go on with, as far as the mark says; "" where there is none.
func (h *Host) marked() string {
	var m mark
	var a away
	if !readFile(h.markPath(), &m) || m.Run == "" || m.Tries >= mostTries {
		return ""
	}
	dir, err := h.runDir(m.Run)
	if err != nil || readFile(filepath.Join(dir, awayFile), &a) && a.There != home {
		return ""
	}
	return m.Run
}
