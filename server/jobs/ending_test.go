package jobs

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/wire"
)

// cutOff ends what is asked for as soon as the record is written.
type cutOff struct {
	jetstream.KeyValue
	end func()
}

func (k *cutOff) Update(ctx context.Context, key string, v []byte, revision uint64) (uint64, error) {
	n, err := k.KeyValue.Update(ctx, key, v, revision)
	k.end()
	return n, err
}

// A stop whose link breaks, or whose server dies, behind the record's write is told all the same.
func TestEndingIsTold(t *testing.T) {
	for _, dies := range []bool{false, true} {
		t.Run(map[bool]string{false: "the link breaks", true: "the server dies"}[dies], func(t *testing.T) {
			s := openShop(t, time.Minute)
			id := s.start(t, tinyRecipe(t, "output", 12), nil)
			r, err := s.update(t.Context(), "ada", id, func(r *Record) error { // as a worker leaves it that gives its device back
				r.Status, r.Released = Paused, true
				return nil
			})
			if err == nil {
				err = s.dequeue(t.Context(), r)
			}
			if err == nil {
				err = s.say(t.Context(), "ada", id, wire.Paused{Released: true})
			}
			if err != nil {
				t.Fatal(err)
			}
			stop := func(ctx context.Context) error {
				_, err := s.desk.Ask(ctx, "steer", wire.Steer{Run: id, Do: "stop"}, nil)
				return err
			}
			if dies {
				if _, err := s.update(t.Context(), "ada", id, func(r *Record) error {
					r.end(Stopped, "", wire.Finished{Step: r.Step, Stopped: "stopped"})
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				if err := s.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
			} else {
				ctx, cancel := context.WithCancel(t.Context())
				keys := s.Broker.runs
				s.Broker.runs = &cutOff{keys, cancel}
				if err := stop(ctx); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				s.Broker.runs = keys
			}
			last, err := s.lastEvent(t.Context(), "ada", id)
			if err != nil || last.frame.Name != "finished" {
				t.Errorf("the last event is %s (%v)", last.frame.Name, err)
			}
			if err := stop(t.Context()); err != nil { // the link asks again what was not answered
				t.Errorf("stopped again: %v", err)
			}
			if r, _, err = s.get(t.Context(), "ada", id); err != nil || r.Status != Stopped || r.Untold {
				t.Errorf("%+v (%v)", r, err)
			}
		})
	}
}
