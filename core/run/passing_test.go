package run

import (
	"slices"
	"testing"
	"time"

	"hone/core/checkpoint"
	"hone/core/device/cpu"
	"hone/core/wire"
)

// Checkpoints that pass by are beside those that were asked for: they end no run, count for no limit, and none is left.
func TestPassing(t *testing.T) {
	r := lostRecipe(t, t.TempDir(), "--max_steps", "8", "--save_steps", "4", "--save_total_limit", "1", "--split_dataset_ratio", "0.2", "--eval_steps", "3", "--logging_steps", "1")
	dev := cpu.New(1)
	defer dev.Close()
	c := &Control{SaveEvery: time.Nanosecond}
	var saved []int
	best := 0
	took, since := time.Duration(0), time.Now()
	result, err := c.Start(t.Context(), r, dev, func(e wire.Event) {
		switch e := e.(type) {
		case wire.Saved:
			took = time.Since(since)
			if !slices.Contains(saved, e.Step) {
				saved = append(saved, e.Step)
			}
		case wire.Evaluated:
			if e.Best {
				best = e.Step
			}
		case wire.Stepped:
			time.Sleep(min(savingShare*took*5/4, 3*time.Second)) // so that the next checkpoint is due
			since = time.Now()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(saved) < 4 { // of 9; some come late on a machine that stalls
		t.Errorf("only steps %v were saved", saved)
	}
	left, err := (checkpoint.Run{Dir: result.Run}).Checkpoints()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range left {
		if c.Step != 8 && c.Step != best {
			t.Errorf("checkpoint-%d is left; the newest and the best, of step %d, were asked for", c.Step, best)
		}
	}
	if len(left) == 0 || left[len(left)-1].Step != 8 {
		t.Errorf("%d checkpoints are left", len(left))
	}
}

// What is kept each time that a page goes out of sight leaves one checkpoint, and takes none of those that were asked for away.
func TestKeep(t *testing.T) {
	r := lostRecipe(t, t.TempDir(), "--max_steps", "9", "--save_steps", "4", "--save_total_limit", "2", "--logging_steps", "1")
	dev := cpu.New(1)
	defer dev.Close()
	var c Control
	c.Pause()
	steps := func(dir string) (all []int) {
		left, err := (checkpoint.Run{Dir: dir}).Checkpoints()
		if err != nil {
			t.Error(err)
		}
		for _, c := range left {
			all = append(all, c.Step)
		}
		return all
	}
	dir, seen := "", [][]int{}
	_, err := c.Start(t.Context(), r, dev, func(e wire.Event) {
		switch e := e.(type) {
		case wire.Started:
			dir = e.Directory
		case wire.Paused:
			go func() {
				if e.Step == 5 {
					if _, err := c.Save(t.Context()); err != nil { // the user's own
						t.Error(err)
					}
				}
				for range 2 {
					if err := c.Keep(t.Context()); err != nil {
						t.Error(err)
					}
				}
				seen = append(seen, steps(dir))
				c.Step()
			}()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]int{{0}, {1}, {2}, {3}, {4}, {4, 5}, {4, 5, 6}, {4, 5, 7}, {5, 8}}
	if !slices.EqualFunc(seen, want, slices.Equal) {
		t.Errorf("after each step %v, want %v", seen, want)
	}
	if got := steps(dir); !slices.Equal(got, []int{8, 9}) {
		t.Errorf("at the end %v", got)
	}
}
