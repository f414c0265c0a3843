package link

import (
	"flag"
	"strings"
	"testing"
	"time"

	"hone/core/wire"
)

// This test runs in a worker of a headless browser: TestLinkInAPage of web/worker builds and drives it, with a server whose first
// connection goes silent.

func TestSilentWay(t *testing.T) {
	states := make(chan State, 10)
	c, err := Dial(t.Context(), Options{URL: flag.Arg(0), State: func(s State) { states <- s }})
	if err != nil {
		t.Fatal(err)
	}
	if s := <-states; !s.Connected {
		t.Fatalf("%+v", s)
	}
	if _, err := wire.Ask[wire.RunList](t.Context(), c, wire.Runs{}, nil); err != nil {
		t.Error(err)
	}
	if s := <-states; s.Connected || !strings.Contains(s.Err.Error(), "nothing has come") {
		t.Errorf("%+v", s)
	}
	if s := <-states; !s.Connected {
		t.Errorf("%+v", s)
	}
	began := time.Now()
	c.Close()
	if took := time.Since(began); took > time.Second {
		t.Errorf("the link took %v to close", took)
	}
	time.Sleep(300 * time.Millisecond) // the browser tells of its end when the server has answered
}
