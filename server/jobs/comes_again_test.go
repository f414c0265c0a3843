package jobs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hone/core/checkpoint"
	"hone/core/recipe"
	"hone/core/wire"
)

// doneHere is a shop where a run has come to its end, of step 12, with checkpoints at 5, 10 and 12.
func doneHere(t *testing.T) (s *shop, r recipe.Recipe, id string) {
	t.Helper()
	s = openShop(t, 4*time.Second)
	s.hire(t, time.Hour)
	r = tinyRecipe(t, "output", 12)
	id = s.start(t, r, nil)
	s.ends(t, id)
	return s, r, id
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

// Checkpoints of a past that is not the run's any more go with it; earlier ones stay.
func TestCheckpointsOfAnotherPast(t *testing.T) {
	s, r, id := doneHere(t)
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

// Who moves a run a second time from where it left does not undo what the server has done since, unless that is given up.
func TestMovedAgainFromBehind(t *testing.T) {
	s, r, id := doneHere(t)
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
