package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/ir"
)

// gone is a device that was lost.
type gone struct{ device.Device }

func (gone) Compile(context.Context, *ir.Graph) (device.Exec, error) {
	return nil, fmt.Errorf("test: %w", device.ErrLost)
}

// A worker whose device is lost takes no other job: it ends and says so. The run goes on elsewhere, and the loss is not held against it.
func TestWorkerLosesDevice(t *testing.T) {
	s := openShop(t, 5*time.Second)
	id := s.start(t, tinyRecipe(t, "output", 3), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	w := &Worker{Broker: s.Broker, Device: gone{cpu.New(1)}, Dir: t.TempDir()}
	if err := w.Run(ctx); !errors.Is(err, device.ErrLost) || ctx.Err() != nil {
		t.Fatalf("the worker ends with %v (%v)", err, ctx.Err())
	}
	r, _, err := s.get(t.Context(), "ada", id)
	if err != nil || r.Status != Queued || r.Fruitless != 0 || r.Losses != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if there, err := s.Workers(t.Context()); err != nil || len(there) > 0 {
		t.Errorf("it is still listed: %v, %v", there, err)
	}
}

// A run that loses the device each time it is begun is given up in the end.
func TestLossesCount(t *testing.T) {
	s := openShop(t, time.Minute)
	id := s.start(t, tinyRecipe(t, "output", 3), nil)
	h := s.begins(t, id)
	for want := range 3 { // the first does not count
		if err := h.conclude(t.Context(), fmt.Errorf("test: %w", device.ErrLost), nil, slog.New(slog.DiscardHandler)); !errors.Is(err, errRequeue) {
			t.Fatal(err)
		}
		if r, _, err := s.get(t.Context(), "ada", id); err != nil || r.Fruitless != want || r.Losses != want+1 {
			t.Fatalf("after %d losses: %+v, %v", want+1, r, err)
		}
		h.take(t.Context(), s.Broker, id)
	}
	if err := h.saves(1); err != nil {
		t.Fatal(err)
	}
	if r, _, err := s.get(t.Context(), "ada", id); err != nil || r.Fruitless != 0 || r.Losses != 0 {
		t.Errorf("after a State: %+v, %v", r, err)
	}
}
