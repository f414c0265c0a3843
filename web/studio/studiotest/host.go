// Package studiotest is a host that computes nothing: it answers what a page asks with plausible figures, so that every stage of
// the page can be looked at and tried without a model. Only tests import it.
package studiotest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"hone/core/wire"
)

// Host is a wire.Link. Its fields are set before it is first asked.
type Host struct {
	Is    wire.Host        // what it says that it is and has
	Pace  time.Duration    // of a step; 0: as fast as it goes
	Event func(wire.Frame) // hears what happens in a run

	mu     sync.Mutex
	asked  []wire.Request
	events map[string][]wire.Frame // by run
	going  *going
	wrong  map[string]string // by request: the error that it ends with
}

// going is the run that goes on.
type going struct {
	id     string
	step   int
	steps  int
	rate   float64
	paused bool
	single int
	stop   bool
	wake   chan struct{}
}

// New is a host with a model, rows and, if past is set, runs of yesterday.
func New(past bool) *Host {
	h := &Host{events: map[string][]wire.Frame{}, wrong: map[string]string{}, Event: func(wire.Frame) {}}
	h.Is = wire.Host{Version: "0", Device: "Example GPU (example-arch)", Kind: "webgpu", Storage: wire.Storage{Used: 48_300_000, Quota: 12_000_000_000},
		Models: []wire.Model{tiny, small}, Data: []wire.Data{
			{Path: "data/world.json", Name: "world.json", Bytes: 168_000, Bundled: true},
			{Path: "data/sentiment.json", Name: "sentiment.json", Bytes: 81_000, Bundled: true},
			{Path: "data/doctor.json", Name: "doctor.json", Bytes: 93_000, Bundled: true},
			{Path: "data/letters.jsonl", Name: "letters.jsonl", Bytes: 2_410_000},
		}}
	if past {
		for i, rank := range []int{16, 4} {
			id := fmt.Sprintf("tiny/v%d-20260102-10%d500", 1-i, 4-i)
			recipe := fmt.Sprintf(`{"model":"models/tiny","dataset":["data/world.json"],"learning_rate":%g,"lora_rank":%d,"max_steps":120,"per_device_train_batch_size":16}`, 3e-3/float64(1+2*i), rank)
			run := wire.Run{ID: id, Model: "tiny", Started: fmt.Sprintf("2026-01-02T10:%d5:00Z", 4-i), Step: 120 - 50*i, Steps: 120, Finished: i == 0, Bytes: 3_400_000, Recipe: json.RawMessage(recipe)}
			h.tell(id, wire.Started{Model: "tiny", Device: h.Is.Device, TotalSteps: 120})
			for step := 1; step <= run.Step; step++ {
				s := stepped(step, 120, 3e-3/float64(1+2*i))
				s.Loss += 0.35 * float64(i) * (1 - math.Exp(-float64(step)/15))
				h.tell(id, s)
				if step%20 == 0 {
					e := wire.Evaluated{Step: step, EvalLoss: s.Loss + 0.12, Tokens: 900}
					h.tell(id, e)
					run.EvalLoss = e.EvalLoss
				}
				run.Loss = s.Loss
			}
			if i == 0 {
				h.tell(id, wire.Finished{Step: 120})
				run.Note = "rank 16"
			}
			h.Is.Runs = append(h.Is.Runs, run)
		}
	}
	return h
}

// Fail lets requests of a name end with an error; an empty one mends it.
func (h *Host) Fail(request, err string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wrong[request] = err
}

// Asked is what was asked so far.
func (h *Host) Asked() []wire.Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.asked)
}

// Ask answers a request as a host does.
func (h *Host) Ask(ctx context.Context, name string, request any, part func(string, json.RawMessage)) (json.RawMessage, error) {
	r, ok := request.(wire.Request)
	if !ok {
		return nil, fmt.Errorf("studiotest: %T is no request", request)
	}
	h.mu.Lock()
	h.asked = append(h.asked, r)
	wrong := h.wrong[name]
	h.mu.Unlock()
	if wrong != "" {
		return nil, errors.New(wrong)
	}
	reply, err := h.answer(ctx, r, part)
	if err != nil || reply == nil {
		return nil, err
	}
	return json.Marshal(reply)
}

func (h *Host) answer(ctx context.Context, r wire.Request, part func(string, json.RawMessage)) (any, error) {
	switch r := r.(type) {
	case wire.Hello:
		h.mu.Lock()
		defer h.mu.Unlock()
		is := h.Is
		is.Runs = slices.Clone(h.Is.Runs)
		if h.going != nil {
			is.Going = h.going.id
		}
		return is, nil
	case wire.Inspect:
		for _, m := range h.Is.Models {
			if m.Path == r.Model {
				return m, nil
			}
		}
		return nil, fmt.Errorf("%s is not here", r.Model)
	case wire.Fetch:
		return h.fetch(ctx, r, part)
	case wire.Look:
		return preview(r.Rows), nil
	case wire.Forecast:
		return forecast(r.Recipe), nil
	case wire.Start:
		return h.start(r.Recipe)
	case wire.Resume:
		return h.goOn(r.Run)
	case wire.Steer:
		return nil, h.steer(r)
	case wire.Answer:
		return h.say(ctx, r, part)
	case wire.Replay:
		h.mu.Lock()
		defer h.mu.Unlock()
		all := h.events[r.Run]
		from := min(int(max(r.Seq, 1))-1, len(all))
		return wire.Told{Events: all[from:], Next: uint64(len(all)) + 1}, nil
	case wire.Export:
		return wire.File{Path: "exports/" + r.What, Name: r.What + ".zip", Type: "application/zip", Size: 1234}, nil
	case wire.Survey:
		return wire.Surveyed{URL: r.On.URL, User: "ada", Version: "0", Workers: []wire.Worker{{Device: "Example GPU (server)", Memory: 84_900_000_000}, {Device: "Example GPU (server)", Memory: 84_900_000_000, Busy: true}}, Queue: 2,
			Parcels: []wire.Parcel{{What: "state", Name: r.Run, Files: 8, Bytes: 3_400_000}, {What: "model", Name: "models/tiny", Files: 3, Bytes: 2_300_000, There: 2_300_000}, {What: "data", Name: "data/world.json", Files: 1, Bytes: 168_000}, {What: "hub", Name: "org/rows"}},
			Total:   3_568_000, Runs: []wire.Run{{ID: "small/v3-20260101-101500", Step: 40, Steps: 900}}}, nil
	case wire.Note:
		h.mu.Lock()
		defer h.mu.Unlock()
		for i := range h.Is.Runs {
			if h.Is.Runs[i].ID == r.Run {
				h.Is.Runs[i].Note = r.Text
			}
		}
		return nil, nil
	case wire.Delete:
		h.mu.Lock()
		defer h.mu.Unlock()
		h.Is.Runs = slices.DeleteFunc(h.Is.Runs, func(x wire.Run) bool { return "runs/"+x.ID == r.Path })
		h.Is.Data = slices.DeleteFunc(slices.Clone(h.Is.Data), func(x wire.Data) bool { return x.Path == r.Path })
		h.Is.Models = slices.DeleteFunc(slices.Clone(h.Is.Models), func(x wire.Model) bool { return x.Path == r.Path })
		return h.Is.Storage, nil
	}
	return nil, fmt.Errorf("studiotest: no answer to %s", r.Name())
}

// fetch downloads a model in a few pieces.
func (h *Host) fetch(ctx context.Context, r wire.Fetch, part func(string, json.RawMessage)) (any, error) {
	for done := int64(0); done < 4; done++ {
		raw, _ := json.Marshal(wire.Downloading{Name: r.Of, Hub: "Hugging Face", File: "model.safetensors", Done: done * 60e6, Total: 240e6}) // plain values
		part("downloading", raw)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(2 * h.Pace):
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	m := small
	m.Name, m.Path = r.Of, "models/"+r.Of
	h.Is.Models = append(slices.Clone(h.Is.Models), m)
	return m, nil
}

// say answers piece by piece.
func (h *Host) say(ctx context.Context, r wire.Answer, part func(string, json.RawMessage)) (any, error) {
	a := wire.Answers{}
	h.mu.Lock()
	for _, x := range h.Is.Runs {
		if x.ID == r.Run {
			a.Step = x.Step
		}
	}
	if h.going != nil {
		a.Step = h.going.step
	}
	h.mu.Unlock()
	base, tuned := reply(r.Prompt)
	grow := func(side, text string) {
		for _, piece := range strings.SplitAfter(text, " ") {
			raw, _ := json.Marshal(wire.Text{Side: side, Text: piece}) // plain values
			if part != nil && ctx.Err() == nil {
				part("text", raw)
				time.Sleep(h.Pace / 10)
			}
		}
	}
	if r.Sides != "tuned" {
		grow("base", base)
		a.Base = &wire.Answered{Text: base, Ending: "length"}
	}
	if r.Sides != "base" {
		grow("tuned", tuned)
		a.Tuned = &wire.Answered{Text: tuned, Ending: "end"}
	}
	if r.TopK > 0 {
		for i, x := range []*wire.Answered{a.Base, a.Tuned} {
			for j := 0; x != nil && j < min(r.TopK, len(tokens[i])); j++ {
				x.Top = append(x.Top, tokens[i][j])
			}
		}
	}
	return a, ctx.Err()
}
