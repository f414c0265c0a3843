package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/golden"
	"hone/core/ir"
	"hone/core/recipe"
	"hone/core/tensor"
	"hone/core/wire"
)

// fragile is the CPU, lost for good at its run number `last`.
type fragile struct {
	device.Device
	runs, last int
	chosen     []string
}

func (f *fragile) lost() error {
	if f.runs < f.last {
		return nil
	}
	return fmt.Errorf("test: %w: as told", device.ErrLost)
}

func (f *fragile) Choose(variant string) error { f.chosen = append(f.chosen, variant); return nil }

func (f *fragile) Download(ctx context.Context, b device.Buffer, w io.Writer) error {
	if err := f.lost(); err != nil {
		return err
	}
	return f.Device.Download(ctx, b, w)
}

func (f *fragile) Compile(ctx context.Context, g *ir.Graph) (device.Exec, error) {
	e, err := f.Device.Compile(ctx, g)
	return &fragileExec{e, f}, err
}

type fragileExec struct {
	device.Exec
	f *fragile
}

func (e *fragileExec) Run(ctx context.Context, feeds map[string]tensor.Host) (map[string]tensor.Host, error) {
	if err := e.f.lost(); err != nil {
		return nil, err
	}
	e.f.runs++
	return e.Exec.Run(ctx, feeds)
}

func lostRecipe(t *testing.T, out string, more ...string) recipe.Recipe {
	t.Helper()
	rows := filepath.Join(t.TempDir(), "rows.jsonl")
	var text strings.Builder
	for i := range 12 {
		fmt.Fprintf(&text, "{\"input_ids\":[%d,2,3,4,5,%d]}\n", 6+i, 30+i)
	}
	if err := os.WriteFile(rows, []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(append([]string{"--model", golden.Own(t, "tiny_llama"), "--dataset", rows, "--output_dir", out, "--max_steps", "7",
		"--gradient_accumulation_steps", "1", "--save_steps", "2", "--lora_dropout", "0.1"}, more...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func adapterOf(t *testing.T, dir string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, checkpoint.AdapterTensors))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestLost takes the device away in the middle of a step. The error names the last state on disk; resuming from it, by hand
// or with --fallback cpu, gives the adapter of a run that kept its device.
func TestLost(t *testing.T) {
	host := cpu.New(1)
	defer host.Close()
	whole, err := Start(t.Context(), lostRecipe(t, t.TempDir()), host, func(wire.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	want := adapterOf(t, whole.Directory)

	const atStep6 = 2*5 + 1 // each step is an accumulation and an update
	r := lostRecipe(t, t.TempDir())
	_, err = Start(t.Context(), r, &fragile{Device: host, last: atStep6}, func(wire.Event) {})
	var lost *Lost
	if !errors.As(err, &lost) || lost.Step != 4 || lost.Done != 5 || filepath.Base(lost.Directory) != "checkpoint-4" || !strings.Contains(err.Error(), lost.Directory) {
		t.Fatalf("error %v, which should name checkpoint-4", err)
	}
	r.ResumeFromCheckpoint = lost.Run
	sound := &fragile{Device: host, last: 1000}
	result, err := Start(t.Context(), r, sound, func(wire.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	if got := adapterOf(t, result.Directory); !bytes.Equal(got, want) {
		t.Error("the resumed run gives another adapter")
	}
	if len(sound.chosen) != 1 || sound.chosen[0] != host.Caps().Variant {
		t.Errorf("the kernels asked for on resuming are %q, those of the checkpoint are %q", sound.chosen, host.Caps().Variant)
	}

	for name, c := range map[string]struct {
		last int
		want string
	}{"in the middle": {atStep6, "from step 4 on the CPU"}, "before the first checkpoint": {3, "from the beginning on the CPU"}} {
		var warned string
		result, err := Start(t.Context(), lostRecipe(t, t.TempDir(), "--fallback", "cpu"), &fragile{Device: host, last: c.last}, func(e wire.Event) {
			if w, ok := e.(wire.Warning); ok && strings.Contains(w.Text, "fallback") {
				warned = w.Text
			}
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.Contains(warned, c.want) || !strings.Contains(warned, "as told") {
			t.Errorf("%s: the warning is %q, which should say %q", name, warned, c.want)
		}
		if got := adapterOf(t, result.Directory); !bytes.Equal(got, want) {
			t.Errorf("%s: going on by itself gives another adapter", name)
		}
	}
}
