package jobs

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// deaf is a bucket whose first watches fail.
type deaf struct {
	jetstream.KeyValue
	left atomic.Int32
}

func (d *deaf) Watch(ctx context.Context, keys string, o ...jetstream.WatchOpt) (jetstream.KeyWatcher, error) {
	if d.left.Add(-1) >= 0 {
		return nil, errors.New("test: the engine is away for a moment")
	}
	return d.KeyValue.Watch(ctx, keys, o...)
}

// A run is stopped although what its user wants could not be heard when it began.
func TestWatchAgain(t *testing.T) {
	s := openShop(t, time.Minute)
	wanted := &deaf{KeyValue: s.wanted}
	wanted.left.Store(2)
	s.wanted = wanted
	id := s.start(t, tinyRecipe(t, "output", 1_000_000), nil)
	s.hire(t, time.Hour)
	for status := ""; status != Running; time.Sleep(5 * time.Millisecond) {
		r, _, err := s.get(t.Context(), "ada", id)
		if err != nil {
			t.Fatal(err)
		}
		status = r.Status
	}
	s.steer(t, id, "stop")
	if r := s.ends(t, id); r.Status != Stopped || wanted.left.Load() >= 0 {
		t.Errorf("it is %s, %d watches are left to fail", r.Status, wanted.left.Load())
	}
}
