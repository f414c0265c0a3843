package run

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hone/core/bundle"
	"hone/core/chat"
	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/generate"
	"hone/core/recipe"
	"hone/core/wire"
)

// steered starts a run with Control c and calls at when it is paused before a step, until it is over.
func steered(t *testing.T, c *Control, r recipe.Recipe, at func(step int)) (Result, []wire.Event, error) {
	t.Helper()
	host := cpu.New(1)
	defer host.Close()
	var events []wire.Event
	paused := make(chan int, 100)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for step := range paused {
			at(step)
		}
	}()
	result, err := c.Start(t.Context(), r, host, func(e wire.Event) {
		events = append(events, e)
		if wire.Name(e) == "" {
			t.Errorf("%T has no name", e)
		}
		if p, ok := e.(wire.Paused); ok {
			paused <- p.Step
		}
	})
	close(paused)
	<-finished
	return result, events, err
}

func losses(events []wire.Event) (list []float64) {
	for _, e := range events {
		if s, ok := e.(wire.Stepped); ok {
			list = append(list, s.Loss)
		}
	}
	return list
}

// TestControl pauses a run, takes single steps, saves, changes the rate; a run that goes on from what was saved then equals
// the one that was steered.
func TestControl(t *testing.T) {
	if err := new(Control).SetLearningRate(t.Context(), 1e-3); !errors.Is(err, errOver) {
		t.Errorf("a rate for no run gives %v", err)
	}
	r := lostRecipe(t, t.TempDir(), "--logging_steps", "1", "--save_steps", "100", "--learning_rate", "1e-3", "--lr_scheduler_type", "constant")
	c := &Control{}
	c.Pause()
	var saved string
	var seen []int
	result, events, err := steered(t, c, r, func(step int) {
		seen = append(seen, step)
		var err error
		switch step {
		case 2:
			if err = c.SetLearningRate(t.Context(), -1); err == nil {
				t.Error("a negative rate is taken")
			}
			if err = c.SetLearningRate(t.Context(), 5e-3); err == nil {
				saved, err = c.Save(t.Context())
			}
		case 3:
			c.Resume()
			return
		}
		if err != nil {
			t.Error(err)
		}
		c.Step()
	})
	if err != nil || !slices.Equal(seen, []int{0, 1, 2, 3}) || filepath.Base(saved) != "checkpoint-2" {
		t.Fatalf("paused before %v, saved %q, %v", seen, saved, err)
	}
	all := losses(events)
	if len(all) != 7 {
		t.Fatalf("%d losses", len(all))
	}
	for _, e := range events {
		if s, ok := e.(wire.Stepped); ok && (s.LearningRate > 1e-3) != (s.Step > 2) {
			t.Errorf("step %d has the rate %g", s.Step, s.LearningRate)
		}
	}
	if _, err := c.Save(t.Context()); !errors.Is(err, errOver) {
		t.Errorf("saving a run that is over gives %v", err)
	}

	want := adapterOf(t, result.Directory) // before the other run takes this directory
	r.ResumeFromCheckpoint = saved
	again, events, err := steered(t, &Control{}, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := losses(events); !slices.Equal(got, all[2:]) {
		t.Errorf("the losses are %v, were %v", got, all[2:])
	}
	if !bytes.Equal(adapterOf(t, again.Directory), want) {
		t.Error("the resumed run ends with another adapter")
	}
}

// TestSpeedIsOfTraining asks and pauses between two steps for much longer than a step takes: the speed is that of the steps.
func TestSpeedIsOfTraining(t *testing.T) {
	const wait = 300 * time.Millisecond
	c := &Control{}
	c.Pause()
	_, events, err := steered(t, c, lostRecipe(t, t.TempDir(), "--logging_steps", "3", "--max_steps", "3"), func(int) {
		time.Sleep(wait)
		c.Step()
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events { // lines after the first and the last step, and progress between them
		speed, tokens := math.Inf(1), 0.0
		switch e := e.(type) {
		case wire.Stepped:
			speed, tokens = e.TokensPerSecond, float64(e.Tokens)
		case wire.Progress:
			speed, tokens = e.TokensPerSecond, 5*float64(e.Step)
		}
		if speed < 2*tokens/wait.Seconds() {
			t.Errorf("%+v counts the waiting", e)
		}
	}
}

// TestRateOutlivesDevice changes the rate of a run that keeps what it can lose small. The rate is on disk at once, and holds when the device
// is lost; without a State there is nothing on disk, and it holds all the same where the run goes on by itself.
func TestRateOutlivesDevice(t *testing.T) {
	for _, every := range []time.Duration{time.Hour, 0} {
		r := lostRecipe(t, t.TempDir(), "--logging_steps", "1", "--save_steps", "100", "--learning_rate", "1e-3", "--lr_scheduler_type", "constant")
		host := cpu.New(1)
		defer host.Close()
		c := &Control{SaveEvery: every, Reopen: func(context.Context, error) (device.Device, error) { return host, nil }}
		c.Pause()
		var run string
		var rates []float64 // of the steps after the loss
		_, err := c.Start(t.Context(), r, &fragile{Device: host, last: 2*3 + 1}, func(e wire.Event) {
			switch e := e.(type) {
			case wire.Started:
				run, rates = e.Directory, nil
			case wire.Stepped:
				rates = append(rates, e.LearningRate)
			case wire.Paused:
				if e.Step < 2 {
					c.Step()
					return
				}
				go func() {
					if err := c.SetLearningRate(t.Context(), 5e-3); err != nil {
						t.Error(err)
					}
					all, err := checkpoint.Run{Dir: run}.Checkpoints()
					if every > 0 {
						state, loadErr := checkpoint.Load(all[len(all)-1].Dir)
						if err != nil || loadErr != nil || state.Step != 2 || state.LearningRate != 5e-3 {
							t.Errorf("on disk is %+v, %v, %v", state, err, loadErr)
						}
					}
					c.Resume()
				}()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 5, false: 7}[every > 0]; len(rates) != want || slices.Min(rates) != 5e-3 {
			t.Errorf("every %v: the rates are %v", every, rates)
		}
	}
}

// TestControlAnswer asks base and tuned model between two steps: the base never changes, an adapter that has learnt does.
func TestControlAnswer(t *testing.T) {
	dir := t.TempDir()
	if err := bundle.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse([]string{"--model", filepath.Join(dir, "model"), "--dataset", filepath.Join(dir, "world.json"), "--output_dir", t.TempDir(),
		"--max_steps", "6", "--learning_rate", "0.02", "--lr_scheduler_type", "constant", "--warmup_ratio", "0", "--split_dataset_ratio", "0"})
	if err != nil {
		t.Fatal(err)
	}
	o := generate.TextOptions{Options: generate.Options{MaxNewTokens: 12}}
	c := &Control{}
	c.Pause()
	var base, tuned []string
	_, _, err = steered(t, c, r, func(step int) {
		for _, isBase := range []bool{true, false} {
			streamed := ""
			a, err := c.Answer(t.Context(), isBase, Question("Hello"), o, func(piece string) { streamed += piece })
			if err != nil || streamed != a.Text {
				t.Errorf("step %d: %v; streamed %q of %q", step, err, streamed, a.Text)
			}
			if isBase {
				base = append(base, a.Text)
			} else {
				tuned = append(tuned, a.Text)
			}
		}
		c.Step()
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(base) != 6 || base[0] != tuned[0] || base[5] != base[0] || tuned[5] == tuned[0] {
		t.Errorf("base %q, tuned %q", base, tuned)
	}
	if _, err := c.Answer(context.Background(), true, []chat.Message{}, o, nil); !errors.Is(err, errOver) {
		t.Errorf("asking after the end gives %v", err)
	}
}
