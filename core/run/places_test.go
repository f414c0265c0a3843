package run

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"hone/core/checkpoint"
	"hone/core/device/cpu"
	"hone/core/recipe"
	"hone/core/wire"
)

// A run that is begun in one place and goes on in another, where its model and data stand elsewhere, has the names that it
// began with in all that it writes, and the bits of the run that never moved.
func TestPlaces(t *testing.T) {
	golden := filepath.Join("..", "..", "testdata", "golden")
	here, there := t.TempDir(), t.TempDir()
	for _, dir := range []string{here, there} {
		if err := os.CopyFS(filepath.Join(dir, "model"), os.DirFS(filepath.Join(golden, "tiny_llama"))); err != nil {
			t.Fatal(err)
		}
		rows, err := os.ReadFile(filepath.Join(golden, "tiny_lora", "dataset.jsonl"))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "rows.jsonl"), rows, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	dev := cpu.New(1)
	defer dev.Close()
	begin := func(output string, stop int, places map[string]string, resume string) Result {
		t.Helper()
		args := []string{"--model", filepath.Join(here, "model"), "--dataset", filepath.Join(here, "rows.jsonl"), "--max_steps", "6", "--save_steps", "2",
			"--logging_steps", "1", "--gradient_accumulation_steps", "4", "--output_dir", output}
		if resume != "" {
			args = []string{"--resume_from_checkpoint", resume}
		}
		r, err := recipe.Parse(args)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := &Control{Places: places}
		result, err := c.Start(ctx, r, dev, func(e wire.Event) {
			if s, ok := e.(wire.Stepped); ok && s.Step == stop {
				cancel()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	whole := begin(t.TempDir(), 0, nil, "")
	first := begin(t.TempDir(), 3, nil, "")
	if !first.Interrupted {
		t.Fatal("the run was not interrupted")
	}
	away := filepath.Join(there, "run")
	if err := os.CopyFS(away, os.DirFS(first.Run)); err != nil {
		t.Fatal(err)
	}
	args, err := checkpoint.Run{Dir: away}.ReadArgs()
	if err != nil {
		t.Fatal(err)
	}
	// What stood here is gone: only the places know where it is.
	for _, name := range []string{"model", "rows.jsonl"} {
		if err := os.Rename(filepath.Join(here, name), filepath.Join(here, name+"-gone")); err != nil {
			t.Fatal(err)
		}
	}
	places := map[string]string{filepath.Join(here, "model"): filepath.Join(there, "model"), filepath.Join(here, "rows.jsonl"): filepath.Join(there, "rows.jsonl")}
	second := begin("", 0, places, away)
	for _, name := range []string{checkpoint.AdapterTensors, checkpoint.AdapterFile, checkpoint.StateTensors} {
		a, err := os.ReadFile(filepath.Join(whole.Directory, name))
		b, err2 := os.ReadFile(filepath.Join(second.Directory, name))
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs (%v, %v)", name, err, err2)
		}
	}
	if after, err := (checkpoint.Run{Dir: away}).ReadArgs(); err != nil || !bytes.Equal(args, after) {
		t.Errorf("the recipe has changed (%v)", err)
	}
}

// A run of somebody who may not read this disk finds nothing on it, whatever its recipe, or the directory that it goes on from, names.
func TestHubsOnly(t *testing.T) {
	golden, err := filepath.Abs(filepath.Join("..", "..", "testdata", "golden"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HONE_HOME", t.TempDir())
	t.Setenv("HF_HUB_OFFLINE", "1")
	dev := cpu.New(1)
	defer dev.Close()
	model, rows := filepath.Join(golden, "tiny_llama"), filepath.Join(golden, "tiny_lora", "dataset.jsonl")
	begin := func(c *Control, args ...string) (Result, error) {
		r, err := recipe.Parse(append(args, "--output_dir", t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		return c.Start(t.Context(), r, dev, func(wire.Event) {})
	}
	start := []string{"--model", model, "--dataset", rows, "--max_steps", "2", "--save_steps", "1", "--gradient_accumulation_steps", "4"}
	here, err := begin(&Control{}, start...)
	if err != nil {
		t.Fatal(err)
	}
	last := filepath.Join(here.Run, "checkpoint-1")
	for what, places := range map[string]map[string]string{"the model": {rows: rows}, "the rows": {model: model}} {
		if _, err := begin(&Control{Places: places, HubsOnly: true}, start...); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of a recipe: %v", what, err)
		}
		if _, err := begin(&Control{Places: places, HubsOnly: true}, "--resume_from_checkpoint", last); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of a run that goes on: %v", what, err)
		}
	}
	if _, err := begin(&Control{Places: map[string]string{model: model, rows: rows}, HubsOnly: true}, "--resume_from_checkpoint", last); err != nil {
		t.Errorf("with all that it names: %v", err)
	}
}
