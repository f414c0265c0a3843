package jobs

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"hone/core/device/cpu"
	"hone/core/wire"
)

// A worker that is taken for dead goes on telling until it is refused; who takes its run over knows all that it has told.
func TestPredecessorStillTells(t *testing.T) {
	s := openShop(t, time.Second)
	id := s.start(t, tinyRecipe(t, t.TempDir(), 5), nil)
	dev := cpu.New(1)
	defer dev.Close()
	w := &Worker{Broker: s.Broker, Device: dev, Dir: t.TempDir(), Tries: 1000, Log: slog.New(slog.DiscardHandler)}
	before, err := w.begin(t.Context(), ticket{"ada", id})
	if err != nil {
		t.Fatal(err)
	}
	for step := 0; step < 300; {
		told := make(chan int, 1)
		go func() {
			n := step
			for before.journal.event(t.Context(), wire.Stepped{Step: n + 1}) == nil {
				n++
			}
			told <- n
		}()
		time.Sleep(20 * time.Millisecond)
		next, err := w.begin(t.Context(), ticket{"ada", id})
		for errors.Is(err, errFenced) { // the other one was quicker
			next, err = w.begin(t.Context(), ticket{"ada", id})
		}
		if err != nil {
			t.Fatal(err)
		}
		step = <-told
		if got := next.told.step["stepped"]; got != step {
			t.Fatalf("step %d was told, and who goes on knows of %d", step, got)
		}
		before = next
	}
}
