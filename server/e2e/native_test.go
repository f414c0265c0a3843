//go:build !js

package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"hone/core/bundle"
	"hone/core/device/cpu"
	"hone/core/recipe"
	"hone/core/run"
	"hone/core/wire"
)

// here is the recipe that a run of the page has recorded, its args.json, for this machine's CPU. It names files that come with the
// page.
func here(t testing.TB, args string) recipe.Recipe {
	t.Helper()
	r, err := recipe.FromJSON(json.RawMessage(args))
	if err != nil {
		t.Fatalf("the page's recipe: %v\n%s", err, args)
	}
	dir := t.TempDir()
	if err := bundle.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	r.Model, r.OutputDir, r.Device, r.KernelVariant = filepath.Join(dir, "model"), filepath.Join(dir, "output"), "cpu", "auto"
	for i, d := range r.Dataset {
		r.Dataset[i] = filepath.Join(dir, filepath.Base(d))
	}
	return r
}

// native runs a recipe of the page here, and gives the first n steps.
func native(t testing.TB, args string, n int) []wire.Stepped {
	t.Helper()
	return steppedHere(t, here(t, args), n)
}

// steppedHere runs a recipe on this machine's CPU, and gives the first n steps.
func steppedHere(t testing.TB, r recipe.Recipe, n int) []wire.Stepped {
	t.Helper()
	dev := cpu.New(0)
	defer dev.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var found []wire.Stepped
	_, err := run.Start(ctx, r, dev, func(e wire.Event) {
		if s, ok := e.(wire.Stepped); ok && len(found) < n {
			if found = append(found, s); len(found) == n {
				stop()
			}
		}
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatalf("the page's recipe on the CPU: %v", err)
	}
	if len(found) < n {
		t.Fatalf("the page's recipe ends after %d steps here, not %d", len(found), n)
	}
	return found
}

// same compares losses step by step; tolerance is relative.
func same(t testing.TB, got, want []wire.Stepped, tolerance float64) {
	t.Helper()
	if len(got) < len(want) {
		t.Fatalf("%d steps, want %d", len(got), len(want))
	}
	worst := 0.0
	for i, w := range want {
		g := got[i]
		if g.Step != w.Step {
			t.Fatalf("step %d is logged where step %d belongs", g.Step, w.Step)
		}
		d := math.Abs(g.Loss-w.Loss) / w.Loss
		worst = max(worst, d)
		if !(d <= tolerance) {
			t.Errorf("step %d: loss %.7g, on the CPU here %.7g", w.Step, g.Loss, w.Loss)
		}
		if g.LearningRate != w.LearningRate || g.Tokens != w.Tokens {
			t.Errorf("step %d: learning rate %g and %d tokens, on the CPU here %g and %d", w.Step, g.LearningRate, g.Tokens, w.LearningRate, w.Tokens)
		}
	}
	t.Logf("%d losses from %.4f to %.4f; the worst differs by %.1e", len(want), want[0].Loss, want[len(want)-1].Loss, worst)
}
