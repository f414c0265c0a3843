package studio

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"hone/core/wire"
)

// A run that another tab begins is shown by this one, too.
func TestWatches(t *testing.T) {
	b := open(t, "en")
	b.sees("bar", "Finished")
	b.ready()
	const id = "tiny/v9-20260109-000000"
	hello := b.host.reply["hello"]
	b.host.set("hello", func(r wire.Request) (any, error) {
		h, err := hello(r)
		host := h.(wire.Host)
		host.Going, host.Runs = id, append([]wire.Run{{ID: id, Steps: 30}}, host.Runs...)
		return host, err
	})
	b.Told(event(id, 3, wire.Started{TotalSteps: 30}))
	b.sees("train", "v9-20260109")
	b.Told(event(id, 4, wire.Stepped{Step: 3, Loss: 1.75}))
	b.sees("bar", "step 3 of 30")
	b.sees("train", "1.75")
	b.Told(event("tiny/v8-20260109-000000", 1, wire.Started{TotalSteps: 70})) // not while one goes on
	b.Told(event(id, 5, wire.Stepped{Step: 4, Loss: 1.5}))
	b.sees("bar", "step 4 of 30")
}

// What belongs to a run goes with it: its error, answers, the page of its table. A run that goes on brings its past.
func TestRunsApart(t *testing.T) {
	b := open(t, "en")
	const first, second = "tiny/v0-20260101-000000", "tiny/v1-20260102-000000"
	replay := b.host.reply["replay"]
	b.host.set("replay", func(r wire.Request) (any, error) {
		if q := r.(wire.Replay); q.Run == first && q.Seq == 1 { // it failed, was resumed, and finished
			return wire.Told{Next: 9, Events: []wire.Frame{event(first, 1, wire.Started{TotalSteps: 3}), event(first, 2, wire.Stepped{Step: 1, Loss: 3}),
				event(first, 3, wire.Evaluated{Step: 2, EvalLoss: 9}), event(first, 4, wire.Failed{Reason: "the disk is full"}), event(first, 5, wire.Started{StartStep: 1, TotalSteps: 3}),
				event(first, 6, wire.Evaluated{Step: 2, EvalLoss: 2.125}), event(first, 7, wire.Stepped{Step: 3, Loss: 1}), event(first, 8, wire.Finished{Step: 3})}}, nil
		}
		return replay(r)
	})
	b.do("show_run", "run", first)
	b.sees("train", "2.125")
	b.lacks("bar", "disk is full")
	b.lacks("train", `<td class="figure">9</td>`) // measured after the last save, and again
	b.do("ask", "prompt", "Who?")
	b.sees("try", "tuned answer")
	b.do("table", "table", "steps", "end", "1")
	b.do("show_run", "run", second)
	b.sees("train", second)
	b.lacks("try", "tuned answer")

	b.do("show_run", "run", first)
	b.sees("train", "2.125")
	b.do("resume", "run", second)
	b.until("resume", func() bool { r, ok := last[wire.Resume](b.host); return ok && r.Run == second })
	b.Told(event(second, 3, wire.Started{StartStep: 2, TotalSteps: 10}))
	b.Told(event(second, 4, wire.Stepped{Step: 3, Loss: 1.5}))
	b.until("its curve from the beginning", func() bool { return fmt.Sprint(b.charts["chart-loss"].X) == "[1 2 3]" })
	b.Told(event(second, 5, wire.Saved{Step: 3}))
	b.sees("bar", "saved at step 3")
	b.Told(event(second, 6, wire.RateChanged{Step: 3, LearningRate: 5e-4}))
	b.sees("train", "set to 0.0005 after step 3")
	b.Told(event(second, 7, wire.Started{StartStep: 3, TotalSteps: 10}))
	b.Told(event(second, 8, wire.Stepped{Step: 4, Loss: 1.25}))
	b.sees("bar", "step 4 of 10")
	b.sees("train", "set to 0.0005 after step 3")
	b.Told(event(second, 9, wire.Started{StartStep: 2, TotalSteps: 10})) // from before it was set
	b.lacks("train", "set to 0.0005")
}

// A curve that is compared is that of the run's whole past: it grows with the run whatever is shown, comes again after it was taken away, and is
// read again when reading failed.
func TestOverlay(t *testing.T) {
	b := open(t, "en")
	const id = "tiny/v1-20260102-000000"
	choose := func(checked string) { b.do("choose_run", "run", id, "checked", checked) }
	curve := func(want string) {
		t.Helper()
		b.until("the curve "+want, func() bool { return fmt.Sprint(b.charts["chart-runs"].X) == want })
	}
	choose("true")
	curve("[1 2]")
	replay := b.host.reply["replay"]
	later := []wire.Frame{event(id, 3, wire.Started{StartStep: 2, TotalSteps: 10}), event(id, 4, wire.Stepped{Step: 10, Loss: 1})}
	b.host.set("replay", func(r wire.Request) (any, error) {
		if q := r.(wire.Replay); q.Run == id && q.Seq == 3 {
			return wire.Told{Next: 5, Events: later}, nil
		}
		return replay(r)
	})
	for _, f := range later {
		b.Told(f)
	}
	curve("[1 2 10]")
	b.do("show_run", "run", "tiny/v0-20260101-000000")
	b.sees("train", "v0-20260101")
	curve("[1 2 10]")

	choose("false")
	b.lacks("runs", `id="chart-runs"`)
	b.until("its place gone, and what was drawn there", func() bool { delete(b.charts, "chart-runs"); return true })
	choose("true")
	curve("[1 2 10]")
	choose("false")
	b.lacks("runs", `id="chart-runs"`)

	b.host.set("replay", func(wire.Request) (any, error) { return nil, errors.New("the tab is gone") })
	choose("true")
	b.sees("runs", "the tab is gone")
	b.lacks("runs", `id="chart-runs"`)
	b.host.set("replay", replay)
	choose("true")
	b.sees("runs", `id="chart-runs"`)
	curve("[1 2]")
}

// A deletion that is refused leaves the recipe as it is.
func TestDeletionRefused(t *testing.T) {
	b := open(t, "en")
	b.do("use_data", "use", "data/mine.jsonl", "checked", "true")
	b.host.set("delete", func(wire.Request) (any, error) { return nil, errors.New("stop the run first") })
	b.do("delete", "path", "dataset:data/mine.jsonl")
	b.sees("runs", "stop the run first")
	b.until("the deletion", func() bool { _, ok := last[wire.Delete](b.host); return ok })
	if got := b.settings()["dataset"]; !strings.Contains(got, "mine.jsonl") {
		t.Errorf("the recipe's rows are %q", got)
	}
}
