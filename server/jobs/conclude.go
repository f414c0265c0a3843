package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/device"
	"hone/core/wire"
)

// conclude writes down how the attempt ended: first the files, then the record, then the event.
func (a *attempt) conclude(ctx context.Context, err, cause error, log *slog.Logger) error {
	uploaded := a.uploader.close()
	if errors.Is(uploaded, errFenced) || errors.Is(err, errFenced) {
		a.events.close()
		return errFenced
	}
	if err == nil || errors.Is(err, context.Canceled) {
		err = uploaded
	}
	if errors.Is(err, device.ErrLost) {
		a.lost = err
	}
	requeue := func(reason string, delay time.Duration) error {
		a.reason, a.delay = reason, delay
		asked := errors.Is(cause, errEnds) || errors.Is(cause, errReleased) // to leave, which says nothing about the run
		if fenced := a.events.close(); errors.Is(fenced, errFenced) {
			return fenced
		}
		var step int
		if err := a.write(ctx, func(r *Record) {
			r.past(reason)
			r.Status, step = Queued, r.Step
			if a.lost != nil {
				r.Losses++
			}
			if asked || a.lost != nil && r.Losses == 1 { // a second loss at the same place may be of the run's own making
				r.Fruitless = max(0, r.Fruitless-1)
			}
		}); err != nil {
			return err
		}
		if err := a.journal.event(ctx, wire.Queued{Step: step, Reason: reason}); err != nil {
			return err
		}
		return errRequeue
	}
	var api *jetstream.APIError
	var full *Refusal
	var ending wire.Event
	status, reason := Done, ""
	switch {
	case errors.As(cause, &full), errors.As(uploaded, &full): // see fit
		status, reason = Failed, full.Text
	case errors.Is(cause, errStopped) && (err == nil || errors.Is(err, context.Canceled)):
		status = Stopped
		step := a.record.Step
		if a.finished != nil {
			step = a.finished.Step
		}
		ending = wire.Finished{Step: step, Stopped: "stopped"}
		if a.finished != nil {
			a.finished.Stopped = "stopped"
			ending = *a.finished
		}
	case errors.Is(cause, errReleased) && err == nil && a.finished != nil && a.finished.Stopped != "":
		return a.release(ctx)
	case errors.Is(cause, errEnds), errors.Is(cause, errReleased):
		if a.finished == nil || a.finished.Stopped != "" || err != nil {
			return requeue(cause.Error(), 0)
		}
		ending = *a.finished // it was the last step
	case errors.Is(err, device.ErrLost), errors.As(err, &api), errors.Is(err, context.DeadlineExceeded), uploaded != nil && errors.Is(err, uploaded):
		return requeue(a.clean(err), 5*time.Second)
	case err != nil:
		status, reason = Failed, a.clean(err)
	case a.finished == nil:
		return requeue("it ended without a result", 5*time.Second)
	default:
		ending = *a.finished
	}
	a.status = status
	if fenced := a.events.close(); fenced != nil {
		return fenced
	}
	var step int
	werr := a.write(ctx, func(r *Record) {
		if step = r.Step; ending == nil {
			ending = wire.Failed{Step: step, Reason: reason}
		}
		r.end(status, reason, ending)
		r.Ending.Data = json.RawMessage(a.names.Load().Replace(string(r.Ending.Data)))
		if a.finished != nil {
			r.Fruitless, r.Losses = 0, 0
		}
	})
	if werr != nil {
		return werr
	}
	if reason != "" {
		log.Info("a run fails", "reason", reason)
	}
	return a.b.tellEnding(ctx, a.record.User, a.record.ID)
}

// clean is an error without this machine's paths.
func (a *attempt) clean(err error) string {
	return a.names.Load().Replace(err.Error())
}
