package jobs

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A connection that the engine ends for a breach of its protocol is told of, once; one that is closed on purpose is not.
func TestLostEngine(t *testing.T) {
	lost := make(chan error, 2)
	b, err := Open(t.Context(), Options{DataDir: t.TempDir(), Lost: func(err error) { lost <- err }})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.nc.Publish(strings.Repeat("x", 5000), nil); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-lost:
		if !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "control line") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody is told")
	}
	c, err := Open(t.Context(), Options{DataDir: t.TempDir(), Lost: func(err error) { lost <- err }})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	select {
	case err := <-lost:
		t.Errorf("closed on purpose: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
}
