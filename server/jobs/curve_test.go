package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hone/core/checkpoint"
	"hone/core/run"
	"hone/core/wire"
)

// drawn are the losses that a page shows of a run, by step, and how many of its steps were told: it takes events as web/studio does.
func (s *shop) drawn(t *testing.T, id string) (points []wire.Stepped, told map[int]int) {
	t.Helper()
	told = map[int]int{}
	since := func(step int) {
		points = slices.DeleteFunc(points, func(p wire.Stepped) bool { return p.Step > step })
	}
	if err := s.eachEvent(t.Context(), "ada", id, 1, func(f wire.Frame) bool {
		e, err := wire.ParseEvent(f.Name, f.Data)
		if err != nil {
			t.Error(err)
		}
		switch e := e.(type) {
		case wire.Started:
			since(e.Stands())
		case wire.Rewound:
			since(e.Step)
		case wire.Stepped:
			told[e.Step]++
			points = append(points, e)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return points, told
}

// A worker that dies far behind its last State leaves no hole in the curve: what it has told stands, and is told once.
func TestCurveWhenAWorkerDies(t *testing.T) {
	s := openShop(t, time.Minute)
	id := s.start(t, tinyRecipe(t, "output", 12), nil)
	var h *hand
	tells := func(from, to int) {
		h = s.begins(t, id)
		h.control = run.Control{}
		h.hear(wire.Started{Directory: h.runDir, StartStep: from, TotalSteps: 12})
		for step := from + 1; step <= to; step++ {
			h.hear(wire.Stepped{Step: step, Loss: float64(step)})
			if step%4 == 0 {
				h.hear(wire.Evaluated{Step: step, EvalLoss: 1})
			}
		}
		if err := h.events.close(); err != nil {
			t.Fatal(err)
		}
	}
	tells(0, 9)  // with a State of step 5
	tells(5, 7)  // and dies before it has news
	tells(5, 12) // to the end
	points, told := s.drawn(t, id)
	for i, p := range points {
		if p.Step != i+1 {
			t.Fatalf("step %d is drawn in the place of %d", p.Step, i+1)
		}
	}
	if len(points) != 12 || len(told) != 12 {
		t.Errorf("%d points of %d steps", len(points), len(told))
	}
	for step, n := range told {
		if n != 1 {
			t.Errorf("step %d is told %d times", step, n)
		}
	}
}

// A run comes again with a past that is not the one which was told here: the curve is that of its own log, and what follows.
func TestCurveOfAnotherPast(t *testing.T) {
	s := openShop(t, 4*time.Second)
	s.hire(t, time.Hour)
	r := tinyRecipe(t, "output", 12)
	id := s.start(t, r, nil)
	s.ends(t, id)
	from, dir := s.pastOf(t, id, 5)
	s.changeLoss(t, from, dir, 4)
	from.Instead = true
	s.start(t, r, from)
	s.ends(t, id)
	points, told := s.drawn(t, id)
	if len(points) != 12 || points[3].Loss != 7.5 || told[3] != 1 || told[4] != 2 || told[12] != 2 {
		t.Errorf("drawn %v, told %v", points, told)
	}
}

// Checkpoints of a past that is not the run's any more go with it; earlier ones stay.
func TestCheckpointsOfAnotherPast(t *testing.T) {
	s := openShop(t, 4*time.Second)
	s.hire(t, time.Hour)
	r := tinyRecipe(t, "output", 12)
	id := s.start(t, r, nil)
	s.ends(t, id)
	from, dir := s.pastOf(t, id, 12)
	from.Files = slices.DeleteFunc(from.Files, func(f wire.Blob) bool { step, of := checkpointOf(f.Path); return of && step < 12 })
	s.changeLoss(t, from, dir, 7)
	s.start(t, r, from)
	s.ends(t, id)
	for step, there := range map[int]bool{5: true, 10: false, 12: true} {
		if k, err := s.checkpoint(t.Context(), "ada", id, step); err != nil || (k != nil) != there {
			t.Errorf("checkpoint %d: %+v, %v", step, k, err)
		}
	}
	if c, err := wire.Ask[wire.Carried](t.Context(), s.desk, wire.Carry{Run: id}, nil); err != nil || c.Step != 12 || slices.ContainsFunc(c.Files, func(f wire.Blob) bool { step, _ := checkpointOf(f.Path); return step == 10 }) {
		t.Errorf("%+v, %v", c, err)
	}
}

// changeLoss gives a step of a run that is brought another loss.
func (s *shop) changeLoss(t *testing.T, from *wire.Carried, dir string, step float64) {
	t.Helper()
	path := filepath.Join(dir, checkpoint.LogFile)
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(log, []byte("\n"))
	for i, raw := range lines {
		var line map[string]any
		if json.Unmarshal(raw, &line) == nil && line["step"] == step {
			line["loss"] = 7.5
			raw, _ = json.Marshal(line)
			lines[i] = append(raw, '\n')
		}
	}
	if err := os.WriteFile(path, bytes.Join(lines, nil), 0o666); err != nil {
		t.Fatal(err)
	}
	for i, f := range from.Files {
		if f.Path == checkpoint.LogFile {
			from.Files[i] = s.send(t, path)
			from.Files[i].Path = f.Path
		}
	}
}

// pastOf is what a machine has of a run that left it at an earlier step.
func (s *shop) pastOf(t *testing.T, id string, at int) (*wire.Carried, string) {
	t.Helper()
	c, err := wire.Ask[wire.Carried](t.Context(), s.desk, wire.Carry{Run: id}, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s.bring(t, id, dir)
	from := &wire.Carried{Run: id, Step: at}
	for _, f := range c.Files {
		if step, of := checkpointOf(f.Path); of && step > at {
			continue
		}
		b := s.send(t, filepath.Join(dir, filepath.FromSlash(f.Path)))
		b.Path = f.Path
		from.Files = append(from.Files, b)
	}
	return from, dir
}

// Who moves a run a second time from where it left does not undo what the server has done since, unless that is given up.
func TestMovedAgainFromBehind(t *testing.T) {
	s := openShop(t, 4*time.Second)
	s.hire(t, time.Hour)
	r := tinyRecipe(t, "output", 12)
	id := s.start(t, r, nil)
	s.ends(t, id)
	from, _ := s.pastOf(t, id, 5)
	raw, err := r.ToJSON()
	if err != nil {
		t.Fatal(err)
	}
	start := wire.Start{Recipe: raw, Places: s.places(t, r), From: from, Priority: 1}
	_, err = wire.Ask[wire.RunName](t.Context(), s.desk, start, nil)
	want := fmt.Sprintf("Run %s has come to step 12 on this server, and what is brought is its step 5; pull it from there first, or delete it there.", id)
	if Status(err) != 409 || err.Error() != want {
		t.Errorf("%d %v", Status(err), err)
	}
	now, _, err := s.get(t.Context(), "ada", id)
	if err != nil || now.Status != Done || now.Step != 12 || now.State.Step != 12 {
		t.Errorf("it is %+v now (%v)", now, err)
	}
	if c, err := wire.Ask[wire.Carried](t.Context(), s.desk, wire.Carry{Run: id}, nil); err != nil || c.Step != 12 {
		t.Errorf("its result: step %d (%v)", c.Step, err)
	}
}

// A run that was deleted and comes again within the engine's memory of messages is begun once.
func TestDeletedAndAgain(t *testing.T) {
	s := openShop(t, 4*time.Second)
	s.hire(t, time.Hour)
	r := tinyRecipe(t, "output", 6)
	for range 2 {
		id := s.start(t, r, &wire.Carried{Run: "tiny/v3-20260101-000000"})
		if r := s.ends(t, id); r.Attempt != 1 || len(r.Past) != 0 {
			t.Errorf("attempt %d, before it %+v", r.Attempt, r.Past)
		}
		for {
			err := s.Delete(t.Context(), "ada", id)
			if err == nil {
				break
			}
			if Status(err) != 409 {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

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
