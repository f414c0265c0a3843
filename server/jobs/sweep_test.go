package jobs

import (
	"strings"
	"testing"
	"time"

	"hone/core/checkpoint"
)

// A lost message comes back; two sweeps make one job.
func TestSweep(t *testing.T) {
	s := openShop(t, time.Second)
	id := s.start(t, tinyRecipe(t, "output", 2), nil)
	if err := s.jobs.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if i, err := s.jobs.Info(t.Context()); err != nil || i.State.Msgs != 1 {
		t.Fatalf("%d messages, %v", i.State.Msgs, err)
	}
	s.hire(t, time.Hour)
	if r := s.ends(t, id); r.Status != Done || r.Attempt != 1 {
		t.Errorf("%+v", r)
	}
}

// A run that cannot arrive keeps Sweep from no other one, and is given up after a while.
func TestSweepGoesOn(t *testing.T) {
	s := openShop(t, time.Minute)
	requests := s.requests(t)
	bad, err := s.Submit(t.Context(), "ada", requests["brought"])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.update(t.Context(), "ada", bad, func(r *Record) error {
		r.Arrives = true
		for i, f := range r.State.Files {
			if f.Path == checkpoint.LogFile {
				r.State.Files[i].SHA256 = "ab"
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.events.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(t.Context(), "ada", requests["new"]); err != nil {
		t.Fatal(err)
	}
	if err := s.jobs.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range maxSweeps {
		if err := s.Sweep(t.Context()); err == nil || !strings.Contains(err.Error(), bad) {
			t.Fatal(err)
		}
		if i, err := s.jobs.Info(t.Context()); err != nil || i.State.Msgs != 1 {
			t.Fatalf("%d messages, %v", i.State.Msgs, err)
		}
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	r, err := s.Record(t.Context(), "ada", bad)
	last, err2 := s.lastEvent(t.Context(), "ada", bad)
	if err != nil || err2 != nil || r.Status != Failed || r.Arrives || last.frame.Name != "failed" {
		t.Errorf("%+v, the last event is %q; %v, %v", r, last.frame.Name, err, err2)
	}
	if err := s.Resume(t.Context(), "ada", bad); err != nil {
		t.Error(err)
	}
}
