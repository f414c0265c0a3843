package jobs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"hone/core/checkpoint"
	"hone/core/wire"
)

// began checks that there is one run, that it waits as it was asked to, with one message, and that its journal says so once.
func (s *shop) began(t *testing.T, id string, paused bool, step int) {
	t.Helper()
	all, err := s.list(t.Context(), "ada")
	if err != nil || len(all) != 1 || all[0].ID != id || all[0].Status != Queued || all[0].Step != step || all[0].Arrives {
		t.Fatalf("%d runs, of them %+v; want %s, queued at step %d (%v)", len(all), all, id, step, err)
	}
	if wants, err := s.wants(t.Context(), "ada", id); err != nil || (wants == "pause") != paused {
		t.Errorf("%q is wanted, %v", wants, err)
	}
	if i, err := s.jobs.Info(t.Context()); err != nil || i.State.Msgs != 1 {
		t.Errorf("%d messages, %v", i.State.Msgs, err)
	}
	names := []string{}
	if err := s.eachEvent(t.Context(), "ada", id, 1, func(f wire.Frame) bool { names = append(names, f.Name); return true }); err != nil {
		t.Fatal(err)
	}
	want := append(slices.Repeat([]string{"stepped"}, step), "queued")
	if !slices.Equal(names, want) {
		t.Errorf("the journal has %q, want %q", names, want)
	}
}

// gone ends the run and deletes it.
func (s *shop) gone(t *testing.T, id string) {
	t.Helper()
	s.steer(t, id, "stop")
	if err := errors.Join(s.Delete(t.Context(), "ada", id), s.jobs.Purge(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func stepOf(s wire.Start) int {
	if s.From == nil {
		return 0
	}
	return s.From.Step
}

// requests are for a run that begins and for one that was brought with a State.
func (s *shop) requests(t *testing.T) map[string]wire.Start {
	t.Helper()
	r := tinyRecipe(t, t.TempDir(), 5)
	raw, err := r.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := checkpoint.Run{Dir: dir}
	if _, err := checkpoint.Save(dir, &checkpoint.State{Step: 2}, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(run.WriteArgs(raw), run.AppendLog(wire.Stepped{Step: 1, Loss: 3}, nil), run.AppendLog(wire.Stepped{Step: 2, Loss: 2}, nil)); err != nil {
		t.Fatal(err)
	}
	from := &wire.Carried{Run: "tiny/v3-20260101-000000", Step: 2}
	for _, path := range []string{checkpoint.ArgsFile, checkpoint.LogFile, "checkpoint-2/" + checkpoint.StateFile} {
		blob := s.send(t, filepath.Join(dir, filepath.FromSlash(path)))
		blob.Path = path
		from.Files = append(from.Files, blob)
	}
	places := s.places(t, r)
	return map[string]wire.Start{
		"new":     {Recipe: raw, Places: places, Priority: 1, Paused: true},
		"brought": {Recipe: raw, Places: places, Priority: 1, Paused: true, From: from},
	}
}

// However often and from wherever a Start is asked with one key, at the same time or later, it begins one run.
func TestOneStart(t *testing.T) {
	s := openShop(t, time.Minute)
	other, err := Open(t.Context(), Options{NATS: s.Address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	for name, start := range s.requests(t) {
		start.Key = name
		ids := make([]string, 8)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() {
				b := s.Broker
				if i%2 == 1 {
					b = other
				}
				var err error
				if ids[i], err = b.Submit(t.Context(), "ada", start); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		all.Wait()
		if list := slices.Compact(slices.Clone(ids)); len(list) != 1 {
			t.Fatalf("%s: one key began %q", name, list)
		}
		s.began(t, ids[0], true, stepOf(start))
		second := start
		if second.Key = name + " again"; start.From == nil { // in the same second
			id, err := s.Submit(t.Context(), "ada", second)
			if err != nil || id == ids[0] {
				t.Errorf("another key: %s, %v", id, err)
			}
			s.gone(t, id)
		} else if _, err := s.Submit(t.Context(), "ada", second); Status(err) != 409 {
			t.Errorf("it is brought although it goes on here: %v", err)
		}
		s.steer(t, ids[0], "stop")
		if id, err := s.Submit(t.Context(), "ada", start); err != nil || id != ids[0] {
			t.Errorf("%s: asked again when it is over: %s, %v", name, id, err)
		}
		if r, err := s.Record(t.Context(), "ada", ids[0]); err != nil || r.Status != Stopped {
			t.Errorf("asking again has begun it anew: %+v, %v", r, err)
		}
		if err := errors.Join(s.Delete(t.Context(), "ada", ids[0]), s.jobs.Purge(t.Context())); err != nil {
			t.Fatal(err)
		}
		if id, err := s.Submit(t.Context(), "ada", start); err != nil || id != ids[0] {
			t.Errorf("%s: asked again when it is deleted: %s, %v", name, id, err)
		}
		if all, err := s.list(t.Context(), "ada"); err != nil || len(all) != 0 {
			t.Errorf("asking again has begun it anew: %+v, %v", all, err)
		}
	}
}

// Whenever a server dies while it begins a run, asking again begins that run, once and as it was asked; and where it had a record, Sweep
// does so.
func TestKilledWhileStarting(t *testing.T) {
	s := openShop(t, time.Minute)
	for _, name := range []string{"new", "brought"} {
		died, swept := 0, 0
		for n := 0; n >= 0; n++ {
			start := s.requests(t)[name] // what a run was sent in is gone when it has arrived
			start.Key = fmt.Sprint(name, n)
			ctx, cancel := context.WithCancel(t.Context())
			d := &death{left: n, then: cancel} // who lives tries until an event is stored
			id, err := s.mortal(d).Submit(ctx, "ada", start)
			cancel()
			if d.left >= 0 {
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				n = -2 // it has lived
			} else {
				died++
			}
			if all, err := s.list(t.Context(), "ada"); err != nil || len(all) > 1 {
				t.Fatalf("%d runs, %v", len(all), err)
			} else if len(all) == 1 {
				if err != nil {
					t.Errorf("%s, killed after %d writes: it is refused and goes on here, and so in two places: %v", name, n, err)
				}
				swept++
				if err := s.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
				s.began(t, all[0].ID, true, stepOf(start))
			}
			again, err := s.Submit(t.Context(), "ada", start)
			if err != nil || id != "" && id != again {
				t.Fatalf("%s, killed after %d writes: %q, then %q (%v)", name, n, id, again, err)
			}
			s.began(t, again, true, stepOf(start))
			s.gone(t, again)
		}
		t.Logf("%s: it died at %d places; %d times there was a record", name, died, swept)
		if died < 6 || swept < 4 {
			t.Errorf("%s: it died at %d places only, %d with a record", name, died, swept)
		}
	}
}

// The same for a run that was here before and comes again.
func TestKilledWhileTakingBack(t *testing.T) {
	s := openShop(t, time.Minute)
	id, err := s.Submit(t.Context(), "ada", s.requests(t)["brought"])
	if err != nil {
		t.Fatal(err)
	}
	died := 0
	for n, times := 0, 2; n >= 0; n, times = n+1, times+1 {
		s.steer(t, id, "stop")
		if err := s.jobs.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := s.requests(t)["brought"]
		start.Key = fmt.Sprint(n)
		ctx, cancel := context.WithCancel(t.Context())
		d := &death{left: n, then: cancel}
		_, err := s.mortal(d).Submit(ctx, "ada", start)
		cancel()
		if d.left >= 0 {
			if err != nil {
				t.Fatal(err)
			}
			n = -2 // it has lived
		} else {
			died++
		}
		if r, err2 := s.Record(t.Context(), "ada", id); err2 != nil || err != nil && !over(r.Status) {
			t.Errorf("killed after %d writes: it is refused and goes on here, and so in two places: %v, %v", n, err, err2)
		}
		for range 2 {
			if again, err := s.Submit(t.Context(), "ada", start); err != nil || again != id {
				t.Fatalf("killed after %d writes, it is %q (%v)", n, again, err)
			}
		}
		told := map[string]int{}
		if err := s.eachEvent(t.Context(), "ada", id, 1, func(f wire.Frame) bool { told[f.Name]++; return true }); err != nil {
			t.Fatal(err)
		}
		r, err := s.Record(t.Context(), "ada", id)
		wants, err2 := s.wants(t.Context(), "ada", id)
		i, err3 := s.jobs.Info(t.Context())
		if err := errors.Join(err, err2, err3); err != nil || r.Status != Queued || r.Arrives || r.Step != 2 || wants != "pause" || i.State.Msgs != 1 {
			t.Errorf("killed after %d writes: %s at step %d, arrives: %v; %q is wanted, %d messages (%v)", n, r.Status, r.Step, r.Arrives, wants, i.State.Msgs, err)
		}
		if told["stepped"] != 2 || told["queued"] != times || told["finished"] != times-1 {
			t.Errorf("killed after %d writes: brought %d times, the journal has %v", n, times, told)
		}
	}
	if died < 6 {
		t.Errorf("it died at %d places only", died)
	}
}
