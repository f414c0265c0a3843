package filelock

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall/js"
)

const somebody = "another tab of this browser"

// Lock is a Web Lock that this worker holds.
type Lock struct {
	letGo    js.Value // ends the promise that keeps the lock
	released chan struct{}
}

// Try takes the lock of a path or fails with *Held. The directory of the path must exist. Where the browser has no Web Locks,
// everybody gets one. What a dead holder left half done in the file system is brought to its end.
func Try(path string) (*Lock, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return nil, err
	}
	locks := js.Global().Get("navigator").Get("locks")
	if !locks.Truthy() {
		return &Lock{}, nil
	}
	l := &Lock{released: make(chan struct{}, 1)}
	granted := make(chan bool, 1)
	keep := js.FuncOf(func(_ js.Value, args []js.Value) any { // the executor of the promise that keeps the lock
		l.letGo = args[0]
		return nil
	})
	defer keep.Release()
	ask := js.FuncOf(func(_ js.Value, args []js.Value) any {
		if args[0].IsNull() {
			granted <- false
			return nil
		}
		held := js.Global().Get("Promise").New(keep)
		granted <- true
		return held
	})
	defer ask.Release()
	// The promise of the request is settled when the lock is free again, or was refused.
	var refused js.Value
	var end, fail js.Func
	end = js.FuncOf(func(js.Value, []js.Value) any {
		end.Release()
		fail.Release()
		l.released <- struct{}{}
		return nil
	})
	fail = js.FuncOf(func(_ js.Value, args []js.Value) any {
		end.Release()
		fail.Release()
		refused = args[0]
		granted <- false
		return nil
	})
	locks.Call("request", "hone "+path, map[string]any{"ifAvailable": true}, ask).Call("then", end, fail)
	if !<-granted {
		if refused.Truthy() {
			return nil, fmt.Errorf("locking %s: %s", path, refused.Call("toString").String())
		}
		return nil, &Held{Path: path}
	}
	if err := finish(); err != nil {
		l.Release()
		return nil, err
	}
	return l, nil
}

// finish ends what dead workers left half done, on a file system that can do so (web/worker/opfs.js).
func finish() error {
	fs := js.Global().Get("fs")
	if fs.Get("recover").Type() != js.TypeFunction {
		return nil
	}
	failed := make(chan error, 1)
	done := js.FuncOf(func(js.Value, []js.Value) any { failed <- nil; return nil })
	defer done.Release()
	fail := js.FuncOf(func(_ js.Value, args []js.Value) any {
		failed <- fmt.Errorf("bringing interrupted renames to their end: %s", args[0].Call("toString").String())
		return nil
	})
	defer fail.Release()
	fs.Call("recover").Call("then", done, fail)
	return <-failed
}

// Release gives the lock back.
func (l *Lock) Release() error {
	if l.released != nil {
		l.letGo.Invoke()
		<-l.released
	}
	return nil
}
