package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/bundle"
	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/host"
	"hone/core/recipe"
	"hone/core/wire"
)

// TestShownLine runs the line that the page shows for the model and rows that come with the program: a shell reads it, in an empty
// directory.
func TestShownLine(t *testing.T) {
	workspace := t.TempDir()
	t.Setenv("HONE_HOME", filepath.Join(t.TempDir(), "home"))
	if err := bundle.WriteTo(filepath.Join(workspace, "bundle")); err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(host.Options{Dir: workspace, Device: func(context.Context, recipe.Recipe) (device.Device, error) { return cpu.New(1), nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	raw, err := json.Marshal(map[string]any{"model": "bundle/model", "dataset": []string{"bundle/world.json#30", "bundle/doctor.json"}, "max_steps": 2, "max_length": 64,
		"per_device_train_batch_size": 2, "gradient_accumulation_steps": 1, "logging_steps": 1, "device": "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := wire.Ask[wire.Forecasted](t.Context(), h, wire.Forecast{Recipe: raw}, nil)
	if err != nil {
		t.Fatal(err)
	}
	args := words(t, f.Line)
	t.Chdir(t.TempDir())
	var said, wrong bytes.Buffer
	if status := Run(t.Context(), args, &said, &wrong); status != 0 {
		t.Fatalf("%s ends with %d: %s%s", f.Line, status, &said, &wrong)
	}
	log, err := filepath.Glob("output/model/v0-*/logging.jsonl")
	if err != nil || len(log) != 1 {
		all, _ := filepath.Glob("output/*/*/*")
		t.Fatalf("there is no log: %q", all)
	}
	if lines, err := os.ReadFile(log[0]); err != nil || bytes.Count(lines, []byte("\n")) != 2 {
		t.Errorf("logged was %s, %v", lines, err)
	}
}

// words is what a shell reads as the arguments of hone.
func words(t *testing.T, line string) []string {
	t.Helper()
	out, err := exec.Command("sh", "-c", `hone() { for a; do printf '%s\0' "$a"; done; }; `+line).Output()
	if err != nil {
		t.Fatalf("the shell does not read %s: %v", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// TestShellWords asks that a shell reads each value as it is.
func TestShellWords(t *testing.T) {
	for _, want := range []string{"", "a`x`.jsonl", "~/x", "!x", "[a]*?", "#x", "a\nb", "it's", `"\$HOME"`, "a b", "数据.json", "{a,b}", "x;y|z&", "-1"} {
		var r recipe.Recipe
		if err := r.Set("columns", want); err != nil {
			t.Fatal(err)
		}
		if got := words(t, r.Line()); !slices.Equal(got, []string{"sft", "--columns", want}) {
			t.Errorf("%s is read as %q", r.Line(), got)
		}
	}
}
