package jobs

import (
	"testing"
	"time"
)

// Workers keep to the lease of the server, whatever they are told themselves, also when a server is started again with another one.
func TestLeaseOfServer(t *testing.T) {
	s := openShop(t, time.Hour)
	open := func(o Options) *Broker {
		o.NATS = s.Address
		b, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		return b
	}
	joined := open(Options{Joins: true, Lease: time.Minute})
	again := open(Options{Lease: 400 * time.Millisecond})
	if was, now := joined.Lease(), again.Lease(); was != time.Hour || now != 400*time.Millisecond {
		t.Fatalf("the lease is %v, then %v", was, now)
	}
	if now := open(Options{Joins: true}).Lease(); now != 400*time.Millisecond {
		t.Errorf("who joins next hears of %v", now)
	}
	id := s.start(t, tinyRecipe(t, "output", 1_000_000), nil)
	workers := &shop{Broker: joined}
	workers.hire(t, time.Hour)
	workers.hire(t, time.Hour)
	for status := ""; status != Running; time.Sleep(5 * time.Millisecond) {
		r, _, err := s.get(t.Context(), "ada", id)
		if err != nil {
			t.Fatal(err)
		}
		status = r.Status
	}
	time.Sleep(1500 * time.Millisecond)
	s.steer(t, id, "stop")
	if r := s.ends(t, id); r.Attempt != 1 {
		t.Errorf("it took %d attempts: %+v", r.Attempt, r.Past)
	}
}
