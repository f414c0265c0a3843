package studio

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hone/core/wire"
	"hone/web/parts"
)

// begun counts the runs that were asked for.
func (b *tab) begun() (starts, resumes int) {
	b.host.mu.Lock()
	defer b.host.mu.Unlock()
	for _, r := range b.host.asked {
		switch r.(type) {
		case wire.Start:
			starts++
		case wire.Resume:
			resumes++
		}
	}
	return starts, resumes
}

// TestOpening asks that what is at the top of the page comes first, with a button that can be pressed, and then the rest.
func TestOpening(t *testing.T) {
	b := waiting(t)
	hello := b.host.reply["hello"]
	b.host.reply["hello"] = func(r wire.Request) (any, error) {
		v, err := hello(r)
		h := v.(wire.Host)
		h.Runs = nil
		return h, err
	}
	b.begin("http://localhost/en/")
	b.sees("runs", "section")
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.first) != parts.Top || b.first[0].ID != "hero" || strings.Contains(b.first[0].HTML, "disabled") {
		t.Errorf("first came %+v", b.first)
	}
	if len(b.parts) != len(parts.Parts) {
		t.Errorf("%d of %d parts were drawn", len(b.parts), len(parts.Parts))
	}
}

// TestTrainNowEarly presses the button before the page has said that it is there, and while the last run is being loaded.
func TestTrainNowEarly(t *testing.T) {
	for _, when := range []string{"before the page", "while the last run is loaded"} {
		t.Run(when, func(t *testing.T) {
			b := waiting(t)
			replay := b.host.reply["replay"]
			b.host.reply["replay"] = func(r wire.Request) (any, error) {
				b.do("train_now")
				return replay(r)
			}
			if when == "before the page" {
				b.host.reply["replay"] = replay
				b.do("train_now")
				b.do("train_now")
			}
			b.begin("http://localhost/en/")
			b.sees("bar", "Loading model and data")
			b.until("start", func() bool { n, _ := b.begun(); return n == 1 })
			const id = "tiny/v2-20260103-000000"
			b.Told(event(id, 1, wire.Started{TotalSteps: 300}))
			b.Told(event(id, 2, wire.Stepped{Step: 1, Loss: 3.25}))
			b.sees("bar", "step 1 of 300")
			if n, _ := b.begun(); n != 1 {
				t.Errorf("%d runs were started", n)
			}
			start, _ := last[wire.Start](b.host)
			if !strings.Contains(string(start.Recipe), `"max_steps":300`) {
				t.Errorf("started was %s", start.Recipe)
			}
		})
	}
}

// TestOpeningWhileARunIsLoaded opens the page, with the button pressed early, on a host that is about to go on with a run: that run is
// shown, and no other one is begun.
func TestOpeningWhileARunIsLoaded(t *testing.T) {
	b := waiting(t)
	const id = "tiny/v1-20260102-000000"
	hello := b.host.reply["hello"]
	var loading atomic.Bool
	loading.Store(true)
	b.host.reply["hello"] = func(r wire.Request) (any, error) {
		v, err := hello(r)
		h := v.(wire.Host)
		h.Going, h.Begins = id, loading.Load()
		return h, err
	}
	b.do("train_now")
	b.begin("http://localhost/en/")
	b.sees("bar", "Loading model and data")
	b.Told(event(id, 3, wire.Started{StartStep: 2, TotalSteps: 10}))
	b.Told(event(id, 4, wire.Stepped{Step: 3, Loss: 1}))
	b.sees("bar", "step 3 of 10")
	if starts, _ := b.begun(); starts != 0 {
		t.Errorf("%d runs were started beside the one that went on", starts)
	}
}

// TestOpeningWhileARunFails opens the page on a host that gives up going on with a run meanwhile: before the page has asked for what the
// run told, or after that and before it listens. The page says why, and the user can begin another run.
func TestOpeningWhileARunFails(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			b := waiting(t)
			const id, why = "tiny/v1-20260102-000000", "model models/own: there is no such directory here"
			hello := b.host.reply["hello"]
			var over atomic.Bool
			b.host.reply["hello"] = func(r wire.Request) (any, error) {
				v, err := hello(r)
				h := v.(wire.Host)
				if !over.Load() {
					h.Going, h.Begins = id, true
				}
				return h, err
			}
			b.host.reply["replay"] = func(r wire.Request) (any, error) {
				q := r.(wire.Replay)
				if q.Seq > 1 {
					return wire.Told{Next: q.Seq}, nil
				}
				told := wire.Told{Next: 2, Events: []wire.Frame{event(id, 1, wire.Stepped{Step: 1, Loss: 3})}}
				if when == "before" || over.Load() {
					told.Next, told.Events = 3, append(told.Events, event(id, 2, wire.Failed{Step: 1, Reason: why}))
				}
				if !over.Swap(true) {
					b.Told(event(id, 2, wire.Failed{Step: 1, Reason: why}))
				}
				return told, nil
			}
			b.begin("http://localhost/en/")
			b.sees("bar", why)
			b.until("the end of the run", func() bool {
				b.Studio.mu.Lock()
				defer b.Studio.mu.Unlock()
				return b.s.Run.State == parts.Failed
			})
			b.do("start")
			b.until("start", func() bool { n, _ := b.begun(); return n == 1 })
		})
	}
}

// TestModelNotWhole lists what is left of a model whose files were not all stored: it can be removed, and there is nobody to ask for the rest.
func TestModelNotWhole(t *testing.T) {
	b := waiting(t)
	b.host.reply["hello"] = func(wire.Request) (any, error) {
		return wire.Host{Kind: "cpu", Halves: []wire.Model{{Path: "models/left", Name: "left", Bytes: 5e6}, {Path: "org/left", Name: "org/left", Bytes: 5e6}}}, nil
	}
	b.begin("http://localhost/en/")
	b.sees("model", "no config.json")
	b.sees("model", `id="ask-models/left"`)
	b.sees("model", `id="rest-org/left"`)
	b.mu.Lock()
	defer b.mu.Unlock()
	if strings.Contains(b.parts["model"], `rest-models/left`) {
		t.Error("the rest of it is to be downloaded, from nowhere")
	}
}

// TestRunWithoutLoss lists a run that was stopped before its first logged step: it has no loss, as against one of 0.
func TestRunWithoutLoss(t *testing.T) {
	b := waiting(t)
	b.host.reply["hello"] = func(wire.Request) (any, error) {
		return wire.Host{Kind: "cpu", Runs: []wire.Run{{ID: "tiny/v0-20260101-000000", Steps: 10, Status: "stopped"}}}, nil
	}
	b.begin("http://localhost/en/")
	b.sees("runs", `<td class="figure">–</td><td class="figure">–</td>`)
}

// TestSharedModelElsewhere opens a link with a model that is on a hub and not here: it is offered for download, and nothing is asked
// that would need it.
func TestSharedModelElsewhere(t *testing.T) {
	b := waiting(t)
	b.host.reply["inspect"] = func(r wire.Request) (any, error) {
		return wire.Model{Path: r.(wire.Inspect).Model, Name: "org/large", Elsewhere: true}, nil
	}
	b.begin("http://localhost/en/#recipe?model=org%2Flarge")
	b.sees("model", "Not in this browser")
	b.sees("model", `data-v-of="org/large"`)
	b.do("use_data", "use", "data/world.json", "checked", "true")
	b.sees("data", "checked")
	time.Sleep(600 * time.Millisecond) // twice what plan waits
	if _, asked := last[wire.Forecast](b.host); asked {
		t.Error("a forecast is asked for a model that is not here")
	}
	b.do("fetch_model", "of", "org/large")
	b.until("fetch", func() bool { f, ok := last[wire.Fetch](b.host); return ok && f.Of == "org/large" })
}

// TestSharedBesideRuns opens a link, and sets something before the host has spoken, in a browser that has runs: both stay.
func TestSharedBesideRuns(t *testing.T) {
	b := open(t, "en", "#recipe?lora_rank=4&model=models%2Fown")
	b.sees("method", `value="4"`)
	b.sees("bar", "Finished after") // the last run is shown all the same
	early := waiting(t)
	early.do("set", "train_type", "qlora")
	early.begin("http://localhost/en/")
	early.sees("runs", "tiny")
	early.do("start")
	early.until("start", func() bool { n, _ := early.begun(); return n == 1 })
	start, _ := last[wire.Start](early.host)
	var got map[string]any
	if err := json.Unmarshal(start.Recipe, &got); err != nil {
		t.Fatal(err)
	}
	if got["train_type"] != "qlora" || got["model"] != "models/tiny" || fmt.Sprint(got["dataset"]) != "[data/world.json]" {
		t.Errorf("the recipe is %s", start.Recipe)
	}
}

// TestGreetingAgain opens the page while the tab that has the workspace is being closed.
func TestGreetingAgain(t *testing.T) {
	b := waiting(t)
	hello := b.host.reply["hello"]
	var refused atomic.Bool
	b.host.reply["hello"] = func(r wire.Request) (any, error) {
		if !refused.Swap(true) {
			return nil, errors.New("the tab that did the work was closed meanwhile; ask again")
		}
		return hello(r)
	}
	b.begin("http://localhost/en/")
	b.sees("hero", "Test adapter")
}

// TestResumeTwice presses Resume twice before the page is drawn again.
func TestResumeTwice(t *testing.T) {
	b := open(t, "en")
	answer := make(chan struct{})
	b.host.reply["resume"] = func(r wire.Request) (any, error) {
		<-answer
		return wire.RunName{Run: r.(wire.Resume).Run}, nil
	}
	const id = "tiny/v1-20260102-000000"
	b.do("resume", "run", id)
	b.do("resume", "run", id)
	b.sees("bar", "Loading model and data")
	close(answer)
	b.Told(event(id, 5, wire.Started{StartStep: 4, TotalSteps: 10}))
	b.sees("bar", "step 4 of 10")
	if _, n := b.begun(); n != 1 {
		t.Errorf("it was resumed %d times", n)
	}
}

// TestStopWhileLoading stops what is being loaded: that is no failure. Of a run that went on there is what there was, of a new one nothing.
func TestStopWhileLoading(t *testing.T) {
	b := open(t, "en")
	b.ready()
	stopped := make(chan struct{})
	stop := func(r wire.Request) (any, error) {
		<-stopped
		return nil, &wire.Refused{Status: wire.StatusStopped, Text: "the run was stopped before it began"}
	}
	b.host.set("resume", stop)
	b.host.set("start", stop)
	for _, begin := range []func(){func() { b.do("resume", "run", "tiny/v1-20260102-000000") }, func() { b.do("start") }} {
		begin()
		b.sees("bar", "Loading model and data")
		b.do("stop")
		stopped <- struct{}{}
		b.lacks("bar", "Loading model and data")
		b.lacks("bar", "ended with an error")
		b.lacks("bar", "before it began")
	}
}

// TestAnotherTabBegins begins a run in another tab: this one shows it, and what is set here stays.
func TestAnotherTabBegins(t *testing.T) {
	b := open(t, "en")
	b.ready()
	b.do("set", "lora_rank", "7")
	const id = "tiny/v1-20260102-000000"
	hello := b.host.reply["hello"]
	b.host.set("hello", func(r wire.Request) (any, error) {
		h, err := hello(r)
		host := h.(wire.Host)
		host.Going = id
		return host, err
	})
	b.Told(event(id, 9, wire.Started{TotalSteps: 10}))
	b.has("the run of the other tab", func(t *Studio) bool { return t.s.Run.ID == id && t.s.Run.Alive() })
	if v := b.settings()["lora_rank"]; v != "7" {
		t.Errorf("lora_rank is %q now", v)
	}
}
