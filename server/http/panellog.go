package http

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"time"

	"hone/core/wire"
	"hone/web/panel"
)

// The log of a run is a page that goes on coming: each event is a line that is sent as it happens. So it is live without a script, and
// costs nothing while nothing happens.

const (
	panelEvents = 200              // of the past
	liveTime    = 10 * time.Minute // then the page ends, with a link to go on: nobody may be looking any more
)

func (a *API) showLog(w http.ResponseWriter, r *http.Request, f panel.Frame) {
	user, id := r.URL.Query().Get("user"), r.URL.Query().Get("run")
	record, err := a.Broker.Record(r.Context(), user, id)
	if err != nil {
		w.Header().Del("Content-Type")
		a.deny(w, r, err)
		return
	}
	l := panel.Log{Frame: f, Run: runOf(record), Now: time.Now(), Lines: a.lines(r, user, id)}
	for _, p := range record.Past {
		l.Past = append(l.Past, fmt.Sprintf("%s: %d, %s, step %d: %s", p.At.Format(time.RFC3339), p.Attempt, p.Worker, p.Step, p.Reason))
	}
	w.Header().Set("X-Accel-Buffering", "no") // a proxy hands on what comes
	panel.RunLog(l).Render(r.Context(), w)
}

// lines are the events of a run until it is over, the server ends, the time is up, or who looks may not any more.
func (a *API) lines(r *http.Request, user, id string) iter.Seq[panel.Line] {
	return func(yield func(panel.Line) bool) {
		ctx, cancel := context.WithTimeout(r.Context(), a.live)
		defer cancel()
		events := make(chan panel.Line, panelEvents)
		go func() {
			defer close(events)
			err := a.Broker.Follow(ctx, user, id, panelEvents, func(e wire.Frame, newest bool) bool {
				select {
				case events <- panel.Line{Text: fmt.Sprintf("%d %s %.600s", e.Seq, e.Name, e.Data)}:
				case <-ctx.Done():
					return false
				}
				return !newest || e.Name != wire.Name(wire.Finished{}) && e.Name != wire.Name(wire.Failed{})
			})
			if err != nil && ctx.Err() == nil {
				a.Log.Warn("the log of a run cannot be followed", "user", user, "run", id, "error", err)
			}
		}()
		still := time.NewTicker(a.ping)
		defer still.Stop()
		for more := true; more; {
			select {
			case line, ok := <-events:
				if !ok {
					return
				}
				line.Now = len(events) == 0 // many at once are sent at once
				more = yield(line)
			case <-still.C:
				_, _, in := a.visitor(r)
				more = in && yield(panel.Line{Now: true}) // so that nobody on the way takes the connection for dead
			case <-a.ended():
				return
			}
		}
	}
}
