package host

import (
	"context"
	"errors"

	"hone/core/device"
	"hone/core/hub"
	"hone/core/recipe"
	"hone/core/run"
	"hone/core/wire"
)

// shownRows bounds a preview; a long row is cut by who shows it.
const shownRows = 100

// look shows rows as the model would see them.
func (h *Host) look(ctx context.Context, r wire.Look, part parts) (wire.Preview, error) {
	ctx = hub.Here(ctx)
	rec, err := h.recipe(r.Recipe)
	if err == nil && r.Questions > 0 {
		q, err := run.Questions(ctx, rec, min(r.Questions, shownRows), nil)
		return wire.Preview{Questions: q}, err
	}
	if err == nil {
		err = h.bring(ctx, rec, part)
	}
	if err != nil {
		return wire.Preview{}, err
	}
	p, err := run.OpenPreview(run.Keep(ctx, &h.rows), rec, r.From, min(max(r.Rows, 0), shownRows), part.sink)
	columns, columnsErr := run.Columns(ctx, rec, nil)
	if err != nil {
		if columnsErr != nil || len(columns) == 0 || ctx.Err() != nil || errors.Is(err, hub.ErrOffline) {
			return wire.Preview{}, err
		}
		return wire.Preview{Refusal: err.Error(), Columns: columns}, nil // which can be given other names
	}
	reply := wire.Preview{Rows: p.Rows, Warnings: p.Warnings, Template: p.Template, Columns: columns, Lengths: p.Lengths}
	for _, row := range p.Shown {
		w := wire.Row{File: h.name(row.File), Row: row.Row, Tokens: row.Tokens, Supervised: row.Supervised, Bucket: row.Bucket}
		for _, s := range row.Runs {
			w.Stretches = append(w.Stretches, wire.Stretch{Text: s.Text, Tokens: s.Tokens, Learnt: s.Learnt})
		}
		reply.Shown = append(reply.Shown, w)
	}
	return reply, nil
}

// forecast says what a run would take.
func (h *Host) forecast(ctx context.Context, r wire.Forecast, part parts) (wire.Forecasted, error) {
	rec, err := h.recipe(r.Recipe)
	if err != nil {
		return wire.Forecasted{}, err
	}
	return h.forecastOf(hub.Here(ctx), rec, part)
}

// forecastOf takes nothing of the device, so it does not matter what goes on there.
func (h *Host) forecastOf(ctx context.Context, rec recipe.Recipe, part parts) (wire.Forecasted, error) {
	err := rec.Validate()
	if err == nil {
		err = h.bring(ctx, rec, part)
	}
	if err != nil {
		return wire.Forecasted{}, err
	}
	asked := rec
	h.callAll(&asked)
	reply := wire.Forecasted{Line: asked.Line()}
	err = h.plans.with(ctx, &h.device, rec, func(dev device.Device) error {
		j, err := run.Prepare(run.Keep(ctx, &h.rows), rec, dev, part.sink)
		if err != nil {
			return err
		}
		reply.Plan, reply.Rows, reply.Budget = j.Plan, j.Rows, j.Budget()
		h.device.warm(dev, choiceOf(rec))
		return j.Close()
	})
	var large *run.TooLarge
	if errors.As(err, &large) {
		reply.Plan, reply.Rows, reply.Budget, reply.Refusal, err = large.Plan, large.Rows, large.Budget, large.Error(), nil
	}
	reply.Total = reply.Plan.Total()
	reply.Seconds = h.speeds.seconds(h.device.name(), reply.Plan)
	return reply, err
}
