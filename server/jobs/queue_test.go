package jobs

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/move"
	"hone/core/wire"
)

// A run is found under the id that it is listed with, whatever its model is called.
func TestLabels(t *testing.T) {
	s := openShop(t, time.Second)
	for _, model := range []string{strings.Repeat("模型", 40), "x" + strings.Repeat("模型", 40), strings.Repeat("é", 99), "...", `a\b:c*`, "../..", strings.Repeat("x", 300)} {
		raw, err := json.Marshal(map[string]any{"model": "a/b", "model_type": model, "dataset": []string{"a/b"}, "max_steps": 1})
		if err != nil {
			t.Fatal(err)
		}
		id, err := s.Submit(t.Context(), "ada", wire.Start{Recipe: raw})
		if err != nil {
			t.Fatalf("%q: %v", model, err)
		}
		list, err := s.list(t.Context(), "ada")
		if err != nil || len(list) != 1 || list[0].ID != id || !move.IsID(id) {
			t.Fatalf("%q: the run %q is listed as %+v (%v)", model, id, list, err)
		}
		if err := s.Want(t.Context(), "ada", id, "stop"); err != nil {
			t.Errorf("%q: %v", model, err)
		}
		if _, err := s.update(t.Context(), "ada", id, func(r *Record) error { r.Status = Stopped; return nil }); err != nil {
			t.Errorf("%q: %v", model, err)
		}
		if err := s.Delete(t.Context(), "ada", id); err != nil {
			t.Errorf("%q: %v", model, err)
		}
	}
}

// A run has one message, whatever priority it had in an earlier life; and one that is left of such a life is no job.
func TestOneMessage(t *testing.T) {
	s := openShop(t, time.Second)
	r := tinyRecipe(t, "output", 10)
	raw, err := r.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	start := wire.Start{Recipe: raw, Places: s.places(t, r), From: &wire.Carried{Run: "tiny/v3-20260101-000000"}}
	id := start.From.Run
	for i, end := range []func() error{
		func() error { return s.Want(t.Context(), "ada", id, "stop") },
		func() error { return s.Kill(t.Context(), "ada", id) },
		func() error { // as of a server that did not take messages out of the queue
			_, err := s.update(t.Context(), "ada", id, func(r *Record) error { r.Status = Stopped; return nil })
			return errors.Join(err, s.Delete(t.Context(), "ada", id))
		},
		nil,
	} {
		start.Priority = 2 - i%3
		if _, err := s.Submit(t.Context(), "ada", start); err != nil {
			t.Fatal(err)
		}
		rec, err := s.Record(t.Context(), "ada", id)
		if err != nil {
			t.Fatal(err)
		}
		i, err := s.jobs.Info(t.Context(), jetstream.WithSubjectFilter("jobs.>"))
		if err != nil || i.State.Msgs != 1 || i.State.Subjects[jobSubject(rec)] != 1 {
			t.Fatalf("%d messages, %v; %v", i.State.Msgs, i.State.Subjects, err)
		}
		if end == nil {
			break
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.enqueue(t.Context(), &Record{User: "ada", ID: id, Priority: 0}); err != nil {
		t.Fatal(err)
	}
	s.hire(t, time.Hour)
	s.hire(t, time.Hour)
	if rec := s.ends(t, id); rec.Status != Done || rec.Attempt != 1 || len(rec.Past) > 0 {
		t.Errorf("%s after %d attempts, of which %+v came to nothing", rec.Status, rec.Attempt, rec.Past)
	}
}

// What was stopped while it waited waits again at once.
func TestResumedAtOnce(t *testing.T) {
	s := openShop(t, time.Minute)
	id, err := s.Submit(t.Context(), "ada", s.requests(t)["new"])
	if err != nil {
		t.Fatal(err)
	}
	s.steer(t, id, "stop")
	began := time.Now()
	if err := s.Resume(t.Context(), "ada", id); err != nil || time.Since(began) > 3*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	if i, err := s.jobs.Info(t.Context()); err != nil || i.State.Msgs != 1 {
		t.Errorf("%d messages, %v", i.State.Msgs, err)
	}
}
