package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hone/core/wire"
)

// A list of more runs than a frame has room for has the newest of them, and says how many there are beside.
func TestManyRuns(t *testing.T) {
	s := openShop(t, time.Second)
	const all = 200
	began := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for n := range all {
		at := began.Add(time.Duration(n) * time.Minute)
		r := Record{User: "ada", ID: fmt.Sprintf("m/v%d-%s", n, at.Format("20060102-150405")), Recipe: json.RawMessage(`{}`), Created: at, Status: Done, Note: strings.Repeat("<", 2000)}
		raw, err := json.Marshal(r)
		if err == nil {
			_, err = s.Broker.runs.Create(t.Context(), keyOf(r.User, r.ID), raw)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, request := range []wire.Request{wire.Runs{}, wire.Hello{}} {
		raw, err := s.desk.Ask(t.Context(), request.Name(), request, nil)
		if err != nil {
			t.Fatal(err)
		}
		frame, err := json.Marshal(wire.Frame{V: wire.Version, Kind: wire.KindReply, ID: 1, Data: raw})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wire.ParseFrame(frame); err != nil {
			t.Errorf("%s: %v", request.Name(), err)
		}
		var list wire.RunList
		if err := json.Unmarshal(raw, &list); err != nil {
			t.Fatal(err)
		}
		if n := len(list.Runs); n < 50 || n+list.More != all || list.Runs[0].ID != "m/v199-20260131-151900" {
			t.Errorf("%s: %d runs and %d more, the first is %s", request.Name(), n, list.More, list.Runs[0].ID)
		}
	}
	// One behind the end of the list is found by its id.
	if r, err := wire.AskRun(t.Context(), s.desk, "m/v0-20260131-120000"); err != nil || r.ID != "m/v0-20260131-120000" {
		t.Errorf("%+v, %v", r.ID, err)
	}
	recipe := json.RawMessage(`{"model":"a/b","dataset":["a/b"],"max_steps":1,"system":"` + strings.Repeat("x", maxRecipe) + `"}`)
	if _, err := s.Submit(t.Context(), "ada", wire.Start{Recipe: recipe}); Status(err) != 413 {
		t.Errorf("an endless recipe: %v", err)
	}
}

// An event that comes while the engine has lost the consumer of a link, before that was given anything, is told all the same.
func TestEventsSurviveReset(t *testing.T) {
	s := openShop(t, time.Minute)
	past := s.start(t, tinyRecipe(t, "output", 1), nil)
	ready, told := make(chan struct{}), make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- s.desk.Events(ctx, func() { close(ready) }, func(raw []byte) { told <- string(raw) })
	}()
	<-ready
	var names []string
	for n := range s.events.ConsumerNames(ctx).Name() {
		names = append(names, n)
	}
	if len(names) != 1 {
		t.Fatalf("%q", names)
	}
	if _, err := s.js.PauseConsumer(ctx, "EVENTS", names[0], time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.say(ctx, "ada", past, wire.Warning{Text: "the last word"}); err != nil {
		t.Fatal(err)
	}
	if err := s.js.DeleteConsumer(ctx, "EVENTS", names[0]); err != nil {
		t.Fatal(err)
	}
	select {
	case raw := <-told:
		if !strings.Contains(raw, "the last word") {
			t.Errorf("of the past is told: %s", raw)
		}
	case <-time.After(15 * time.Second):
		t.Error("it is not told")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
