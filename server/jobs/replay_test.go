package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"hone/core/wire"
)

// Who comes back is told what is missing, from whichever event on, and the engine is asked for little else.
func TestReplayBegins(t *testing.T) {
	s := openShop(t, time.Second)
	const events = 2000
	var writers []*journal
	for _, id := range []string{"m/v0-20260101-000000", "m/v1-20260101-000000"} {
		j, err := s.openJournal(t.Context(), "ada", id, "1")
		if err != nil {
			t.Fatal(err)
		}
		writers = append(writers, j)
	}
	for n := range events {
		for i, j := range writers {
			if i == 1 && n%7 > 0 { // two runs, of which one tells less
				continue
			}
			if err := j.event(t.Context(), wire.Stepped{Step: n + 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, total := range []uint64{events, (events + 6) / 7} {
		for _, from := range []uint64{0, 1, 2, nearEvents, nearEvents + 1, total / 3, total - nearEvents, total - 1, total, total + 1, total + 1000} {
			before := s.nc.Stats().InMsgs
			told, err := s.replay(t.Context(), "ada", writers[i].run, from)
			if err != nil {
				t.Fatal(err)
			}
			asked := s.nc.Stats().InMsgs - before
			next := max(from, 1)
			for _, f := range told.Events {
				if f.Seq != next || f.Run != writers[i].run {
					t.Fatalf("from %d on, event %d of %s comes where %d is next", from, f.Seq, f.Run, next)
				}
				next++
			}
			if total < from && told.Next != from || total >= from && told.Next != total+1 || next != told.Next {
				t.Errorf("from %d on, %d events come, and %d is next", from, len(told.Events), told.Next)
			}
			if most := uint64(len(told.Events) + 300); asked > most { // what it sends ahead is among them
				t.Errorf("from %d on, the engine has sent %d messages for %d events", from, asked, len(told.Events))
			}
		}
	}
	// The end of a journal, and what comes behind it.
	var heard []uint64
	err := s.Follow(t.Context(), "ada", writers[0].run, 5, func(e wire.Frame, newest bool) bool {
		if heard = append(heard, e.Seq); newest != (e.Seq >= events) {
			t.Errorf("event %d is the newest: %v", e.Seq, newest)
		}
		if e.Seq == events {
			if err := writers[0].event(t.Context(), wire.Stepped{Step: events + 1}); err != nil {
				t.Error(err)
			}
		}
		return e.Seq <= events
	})
	if err != nil || len(heard) != 6 || heard[5] != events+1 {
		t.Errorf("followed are %v, %v", heard, err)
	}
}

// An event that would not fit into a frame is told as far as one can, so that who asks for what is missing gets on.
func TestLongEvents(t *testing.T) {
	s := openShop(t, time.Second)
	const id = "m/v0-20260101-000000"
	j, err := s.openJournal(t.Context(), "ada", id, "1")
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("语", 400_000)
	for _, e := range []wire.Event{wire.Queued{}, wire.Warning{Text: long}, wire.Started{Model: long, StartStep: 3}, wire.Failed{Step: 7, Reason: long}} {
		if err := j.event(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	// One of an earlier release.
	old, err := json.Marshal(wire.Frame{V: wire.Version, Kind: wire.KindEvent, Run: id, Seq: 5, Name: "warning", Data: json.RawMessage(`{"text":"` + long + `"}`)})
	if err == nil {
		_, err = s.js.Publish(t.Context(), subjectOf("ada", id), old)
	}
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for from := uint64(1); from <= 5; {
		told, err := s.replay(t.Context(), "ada", id, from)
		if err != nil || told.Next == from {
			t.Fatalf("from %d on: %v, next %d", from, err, told.Next)
		}
		for from = told.Next; len(told.Events) > 0; told.Events = told.Events[1:] {
			f := told.Events[0]
			names = append(names, f.Name)
			e, err := wire.ParseEvent(f.Name, f.Data)
			if err != nil {
				t.Fatal(err)
			}
			if x, ok := e.(wire.Failed); ok && (x.Step != 7 || !strings.HasPrefix(x.Reason, "语语") || len(x.Reason) > maxReason+10) {
				t.Errorf("a long failure is told as %d bytes at step %d", len(x.Reason), x.Step)
			}
			if x, ok := e.(wire.Warning); ok && !strings.Contains(x.Text, "bytes and is not told") {
				t.Errorf("%.100q", x.Text)
			}
		}
	}
	if got := strings.Join(names, " "); got != "queued warning warning failed warning" {
		t.Errorf("%s", got)
	}
}

// Who reads the events of a run that is deleted meanwhile comes to an end, in the middle of them as well as behind the last one.
func TestDeletedWhileRead(t *testing.T) {
	s := openShop(t, time.Minute)
	const many = 1500 // more than the engine sends ahead
	id, err := s.Submit(t.Context(), "ada", s.requests(t)["new"])
	if err != nil {
		t.Fatal(err)
	}
	j, err := s.openJournal(t.Context(), "ada", id, "1")
	for n := range many {
		err = errors.Join(err, j.event(t.Context(), wire.Stepped{Step: n + 1}))
	}
	if err != nil {
		t.Fatal(err)
	}
	s.steer(t, id, "stop")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	waits, followed := make(chan struct{}), make(chan error, 1)
	last := sync.OnceFunc(func() { close(waits) })
	go func() {
		followed <- s.Follow(ctx, "ada", id, 3, func(_ wire.Frame, newest bool) bool {
			if newest {
				last()
			}
			return true
		})
	}()
	<-waits
	n := 0
	err = s.eachEvent(ctx, "ada", id, 1, func(wire.Frame) bool {
		if n++; n == 3 {
			if err := s.Delete(t.Context(), "ada", id); err != nil {
				t.Error(err)
			}
		}
		return true
	})
	if err != nil || n == 0 || n >= many {
		t.Errorf("%d of %d events are read, %v", n, many, err)
	}
	if err := <-followed; err != nil {
		t.Errorf("behind the last one: %v", err)
	}
}
