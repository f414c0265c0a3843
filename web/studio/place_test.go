package studio

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"hone/core/wire"
)

// The page shows what a server offers and what would leave, sends a run only when told, follows it there, says so when the server
// is away or wants another token, and brings it back.
func TestPlace(t *testing.T) {
	b := open(t, "en")
	const run, server = "tiny/v1-20260102-000000", "https://gpu.example:8443"
	b.do("show_run", "run", run)
	b.sees("train", "Where the run is: this browser")
	b.sees("train", `value="http://localhost"`) // the page's own server is near
	survey := wire.Surveyed{URL: server, Version: "1", Workers: []wire.Worker{{Device: "Big GPU", Memory: 80e9}}, Parcels: []wire.Parcel{
		{What: "state", Name: run, Files: 4, Bytes: 2e6}, {What: "model", Name: "models/tiny", Files: 3, Bytes: 5e8, There: 5e8}, {What: "hub", Name: "org/rows"}}, Total: 2e6,
		Runs: []wire.Run{{ID: "big/v0-20260101-000000", Step: 3, Steps: 9}}}
	b.host.set("survey", func(wire.Request) (any, error) { return survey, nil })
	b.do("place_look", "url", " gpu.example:8443/en/ ", "token", "secret")
	for _, want := range []string{"Big GPU", "500.0 MB there already", "only the name", "To send: 2.0 MB", "big/v0-20260101-000000", "Send this and go on there"} {
		b.sees("train", want)
	}
	if r, ok := last[wire.Survey](b.host); !ok || r.On != (wire.Server{URL: server, Token: "secret"}) || r.Run != run {
		t.Errorf("%+v", r)
	}
	if _, moved := last[wire.Move](b.host); moved {
		t.Error("it moved before anybody said so")
	}
	b.do("place_agree", "checked", "true")
	b.until("asked", func() bool { r, ok := last[wire.Agree](b.host); return ok && r.Agreed && r.On.Token == "secret" })
	b.do("place_go")
	b.until("asked", func() bool {
		r, ok := last[wire.Move](b.host)
		return ok && r.Run == run && r.On == (wire.Server{URL: server, Token: "secret"})
	})
	for i, e := range []wire.Event{wire.Moved{Step: 4, On: server}, wire.Queued{Step: 4}} {
		b.Told(event(run, uint64(10+i), e))
	}
	b.sees("train", "Where the run is: gpu.example:8443")
	b.sees("bar", "Waiting for a device there")
	b.Told(event(run, 12, wire.Started{StartStep: 4, TotalSteps: 10}))
	b.Told(event(run, 13, wire.Stepped{Step: 5, Loss: 1}))
	b.sees("bar", "step 5 of 10")
	b.sees("bar", "at gpu.example:8443")
	b.Told(event(run, 14, wire.Paused{Step: 5, Released: true}))
	b.sees("bar", "its device is free for others")
	b.Told(event(run, 15, wire.Queued{Step: 5}))
	b.sees("bar", "Waiting for a device there")
	b.Told(event(run, 16, wire.Started{StartStep: 5, TotalSteps: 10}))
	b.Told(event(run, 17, wire.Paused{Step: 6}))
	b.sees("bar", "Paused after step 6 of 10")
	b.Told(event(run, 0, wire.Linked{On: server, Reason: "the cable"}))
	b.sees("train", "is not reached now")
	b.sees("train", "go on here from step 4")
	b.Told(event(run, 0, wire.Linked{On: server, Reason: "it fails", Unsure: true}))
	b.sees("train", "it fails")
	b.sees("train", "go on here from step 4")
	b.Told(event(run, 0, wire.Linked{On: server, Reason: "not valid", Denied: true}))
	b.sees("train", "does not let this page in: not valid")
	b.do("place_token", "token", "new")
	b.until("asked", func() bool {
		r, ok := last[wire.Agree](b.host)
		return ok && r.On == (wire.Server{URL: server, Token: "new"})
	})
	b.Told(event(run, 0, wire.Linked{On: server, Connected: true}))
	b.do("place_back")
	b.until("asked", func() bool { r, ok := last[wire.Move](b.host); return ok && r.On.URL == "" && !r.Away })
	b.Told(event(run, 18, wire.Moved{Step: 5}))
	b.sees("train", "Where the run is: this browser")

	b.host.set("survey", func(wire.Request) (any, error) { return nil, errors.New("https://other.example cannot be reached: no") })
	b.do("place_look", "url", "other.example")
	b.sees("train", "--connect https://other.example")
	b.host.set("hello", func(wire.Request) (any, error) {
		return wire.Host{Version: "1", Kind: "cpu", Runs: []wire.Run{{ID: "big/v0-20260101-000000", Step: 3, Steps: 9, On: server, Recipe: json.RawMessage(`{}`)}}}, nil
	})
	b.do("place_attach", "run", "big/v0-20260101-000000")
	b.sees("train", "Where the run is: gpu.example:8443")
	if r, ok := last[wire.Attach](b.host); !ok || r.Run != "big/v0-20260101-000000" {
		t.Errorf("%+v", r)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if html := b.parts["train"]; strings.Contains(html, "secret") {
		t.Error("the page shows the token")
	}
}

// What a server was looked at for is what goes there: once another file is chosen, or the run has come to its end, nothing goes until the
// user has seen the new list.
func TestPlaceSendsWhatItListed(t *testing.T) {
	b := open(t, "en")
	b.host.set("survey", func(wire.Request) (any, error) {
		return wire.Surveyed{URL: "https://gpu.example", Version: "1", Parcels: []wire.Parcel{{What: "data", Name: "it", Files: 1, Bytes: 9}}}, nil
	})
	look := func(want string) {
		t.Helper()
		b.do("place_look", "url", "gpu.example")
		b.sees("train", want)
		b.lacks("train", "has changed since you looked")
	}
	b.do("show_run", "run", "tiny/v0-20260101-000000")
	b.sees("bar", "Finished")
	look("Send this and start there")
	b.do("use_data", "use", "data/mine.jsonl", "checked", "true")
	b.do("place_start") // of a page that was not drawn yet
	b.sees("train", "has changed since you looked")
	b.lacks("train", "Send this and start there")
	if _, sent := last[wire.Start](b.host); sent {
		t.Error("a file was sent that was not listed")
	}
	look("Send this and start there")
	b.do("place_start")
	b.until("the start", func() bool {
		r, ok := last[wire.Start](b.host)
		return ok && strings.Contains(string(r.Recipe), "mine.jsonl")
	})

	b.has("the run that was started", func(t *Studio) bool { return t.s.Run.ID == "tiny/v2-20260103-000000" && t.s.Busy["place"] == "" })
	const run = "tiny/v1-20260102-000000"
	b.do("show_run", "run", run)
	b.has("another run", func(t *Studio) bool { return t.s.Run.ID == run })
	look("Send this and go on there")
	b.Told(event(run, 9, wire.Finished{Step: 10}))
	b.sees("train", "has changed since you looked")
}

// set changes what the host replies.
func (f *fake) set(name string, reply func(wire.Request) (any, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reply[name] = reply
}
