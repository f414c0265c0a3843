// Package filelock lets one process at a time hold a directory: a run that is under way, a download. The lock is a file with the
// holder's process id, locked by the operating system, so the lock of a process that died is free at once, whatever killed it.
// In the browser it is a Web Lock named like the path, which ends with its tab.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Held says that somebody else has the lock.
type Held struct {
	Path string
	PID  int // 0 where it is not known
}

func (h *Held) Error() string { return h.Path + " is held by " + h.Who() }

// Who has it, for people.
func (h *Held) Who() string {
	if h.PID == 0 {
		return somebody
	}
	return fmt.Sprintf("process %d", h.PID)
}

// Wait is Try again and again until the lock is free or ctx ends. It calls waiting once if it has to wait.
func Wait(ctx context.Context, path string, waiting func(*Held)) (*Lock, error) {
	for {
		l, err := Try(path)
		var held *Held
		if !errors.As(err, &held) {
			return l, err
		}
		if waiting != nil {
			waiting(held)
			waiting = nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
