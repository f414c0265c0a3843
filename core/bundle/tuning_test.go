package bundle_test

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/bundle"
	"hone/core/device/cpu"
	"hone/core/generate"
	"hone/core/recipe"
	"hone/core/run"
	"hone/core/wire"
)

// The promise of the bundle: the base continues text and answers no question as asked; after tuning by the bundle's own
// recipe it answers questions that it has never been asked, from what the stories told it.
func TestTuningShows(t *testing.T) {
	dir := t.TempDir()
	if err := bundle.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(strings.Fields(bundle.TuningFlags))
	if err != nil {
		t.Fatal(err)
	}
	r.Model, r.Dataset, r.OutputDir = filepath.Join(dir, "model"), bundle.SetFiles(dir), filepath.Join(dir, "out")
	if r.MaxSteps < 1 || r.MaxSteps > 300 {
		t.Errorf("the recipe takes %d steps; a newcomer should see an effect within 300", r.MaxSteps)
	}
	dev := cpu.New(0)
	defer dev.Close()
	ctx := context.Background()
	result, err := run.Start(ctx, r, dev, func(wire.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	p, err := run.OpenPair(ctx, dev, r.Model, result.Directory, run.LoadOptions{Capacity: 128})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	held, err := bundle.HeldOut()
	if err != nil {
		t.Fatal(err)
	}
	type score struct{ asked, base, tuned int }
	cells, all := map[string]score{}, score{}
	for _, q := range held {
		base, tuned, err := p.Answer(ctx, run.Question(q.Prompt()), generate.TextOptions{Options: generate.Options{MaxNewTokens: bundle.AnswerTokens}})
		if err != nil {
			t.Fatal(err)
		}
		cell := q.Task + " " + string(q.Language)
		s := cells[cell]
		s.asked, all.asked = s.asked+1, all.asked+1
		if q.Answered(base) {
			s.base, all.base = s.base+1, all.base+1
		}
		if q.Answered(tuned) {
			s.tuned, all.tuned = s.tuned+1, all.tuned+1
		} else {
			t.Logf("%s: %q, expected %q", q.Prompt(), tuned, q.Output)
		}
		cells[cell] = s
	}
	for _, cell := range slices.Sorted(maps.Keys(cells)) {
		s := cells[cell]
		t.Logf("%-14s %3d questions, right: base %d, tuned %d", cell, s.asked, s.base, s.tuned)
		if s.base*5 > s.asked || s.tuned*10 < s.asked*8 {
			t.Errorf("%s: of %d questions the base answers %d and the tuned model %d; expected at most 20%% and at least 80%%", cell, s.asked, s.base, s.tuned)
		}
	}
	t.Logf("all            %3d questions, right: base %d, tuned %d", all.asked, all.base, all.tuned)
	if all.asked < 500 || all.base*5 > all.asked || all.tuned*10 < all.asked*9 {
		t.Errorf("of %d questions the base answers %d and the tuned model %d; expected at most 20%% and at least 90%%", all.asked, all.base, all.tuned)
	}
}
