package jobs

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A run is given up after so many attempts in a row that store nothing, with the reason of the last one. A State in between
// lets the count begin again.
func TestGivenUp(t *testing.T) {
	s := openShop(t, time.Minute)
	id := s.start(t, tinyRecipe(t, t.TempDir(), 5), nil)
	h := s.begins(t, id)
	h.w.Tries = 3
	h.take(t.Context(), s.Broker, id)
	if err := h.saves(1); err != nil {
		t.Fatal(err)
	}
	for range 3 { // each is dead before it stores anything, and the next one finds so
		h.take(t.Context(), s.Broker, id)
	}
	a, err := h.w.begin(t.Context(), ticket{"ada", id})
	r, _, err2 := s.get(t.Context(), "ada", id)
	if err != nil || err2 != nil || a != nil {
		t.Fatalf("another attempt begins: %v, %v, %+v", err, err2, r)
	}
	if r.Status != Failed || r.Attempt != 5 || r.Step != 1 || !strings.Contains(r.Reason, "given up after 3 attempts without progress; the last one: its worker (") {
		t.Errorf("it is %s after %d attempts, at step %d: %s", r.Status, r.Attempt, r.Step, r.Reason)
	}
	if last, err := s.lastEvent(t.Context(), "ada", id); err != nil || last.frame.Name != "failed" || !strings.Contains(string(last.frame.Data), "without progress") {
		t.Errorf("the last event is %s %s (%v)", last.frame.Name, last.frame.Data, err)
	}
}

// That a worker ends in good order says nothing about the run, however often it does.
func TestWorkersEndInGoodOrder(t *testing.T) {
	s := openShop(t, time.Minute)
	id := s.start(t, tinyRecipe(t, t.TempDir(), 5), nil)
	h := s.begins(t, id)
	h.w.Tries = 2
	for range 4 {
		if err := h.conclude(t.Context(), context.Canceled, errEnds, slog.New(slog.DiscardHandler)); !errors.Is(err, errRequeue) {
			t.Fatal(err)
		}
		if r, _, err := s.get(t.Context(), "ada", id); err != nil || r.Status != Queued || r.Fruitless != 0 || r.Reason != errEnds.Error() {
			t.Fatalf("%+v, %v", r, err)
		}
		h.take(t.Context(), s.Broker, id)
	}
}

// A run is stopped while its worker still fetches what it needs.
func TestStoppedBeforeItBegan(t *testing.T) {
	s := openShop(t, time.Minute)
	id := s.start(t, tinyRecipe(t, t.TempDir(), 5), nil)
	h := s.begins(t, id)
	if err := h.conclude(t.Context(), context.Canceled, errStopped, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if r, _, err := s.get(t.Context(), "ada", id); err != nil || r.Status != Stopped {
		t.Errorf("%+v, %v", r, err)
	}
}
