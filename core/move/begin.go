package move

import (
	"context"
	"net/http"
	"time"

	"hone/core/wire"
)

// Begin asks a server to begin a run, on and on for a while where the server fails: that may have happened when the run had begun, and
// under its key it begins only once.
func Begin(ctx context.Context, l wire.Link, s wire.Start, patience time.Duration) (wire.RunName, error) {
	began := time.Now()
	for wait := 200 * time.Millisecond; ; wait *= 2 {
		name, err := wire.Ask[wire.RunName](ctx, l, s, nil)
		if !Unsure(err) || time.Since(began)+wait > patience {
			return name, err
		}
		select {
		case <-ctx.Done():
			return name, err
		case <-time.After(wait):
		}
	}
}

// Unsure reports whether an error leaves open if what was asked for is done: the server has failed, and has not refused.
func Unsure(err error) bool {
	status := wire.StatusOf(err)
	return status >= 500 && status != http.StatusNotImplemented && status != http.StatusInsufficientStorage
}
