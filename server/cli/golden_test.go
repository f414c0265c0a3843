package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/safetensors"
)

// goldenCases are the PyTorch reference runs that this program must reproduce. Those named tiny_* stand in the
// repository; the others lie in ../shared, which a clone may lack, but not some of them.
var goldenCases = []string{"tiny_lora", "tiny_qlora", "tiny_full", "tiny_qwen2_lora", "tiny_qwen3_lora", "tiny_gpt2_lora", "lora_basic", "qlora_basic", "full_ft"}

// goldenDirs finds the folders of the cases from this package's directory.
func goldenDirs(t *testing.T) (own, shared string) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "testdata", "golden"), filepath.Join(filepath.Dir(root), "shared", "golden")
}

// TestGolden runs each case by its command line, on the device that HONE_DEVICE names (cpu when it is not set), and
// compares every step and the final weights. A missing case fails.
func TestGolden(t *testing.T) {
	device := os.Getenv("HONE_DEVICE")
	if device == "" {
		device = "cpu"
	}
	own, shared := goldenDirs(t)
	_, err := os.Stat(shared)
	haveShared := err == nil
	ran := 0
	for _, name := range goldenCases {
		dir := filepath.Join(own, name)
		if !strings.HasPrefix(name, "tiny_") {
			if !haveShared {
				continue // the whole folder is absent: the tiny cases are the proof
			}
			dir = filepath.Join(shared, name)
		}
		ran++
		t.Run(name, func(t *testing.T) { runGolden(t, dir, device, nil) })
	}
	if haveShared {
		// The tiny cases in ../shared are those that were copied.
		t.Run("shared_tiny_lora", func(t *testing.T) { runGolden(t, filepath.Join(shared, "tiny_lora"), device, nil) })
	}
	if ran < 3 {
		t.Fatalf("only %d golden cases ran", ran)
	}
}

type goldenCase struct {
	CLI       []string           `json:"cli"`
	Tolerance map[string]float64 `json:"tolerance"`
	Noise     struct {
		Moved float64 `json:"weights_moved_l2"`
	} `json:"noise"`
}

type goldenStep struct {
	Step         int     `json:"step"`
	Loss         float64 `json:"loss"`
	Tokens       int     `json:"tokens"`
	GradNorm     float64 `json:"grad_norm"`
	LearningRate float64 `json:"learning_rate"`
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("golden case is incomplete: %v", err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// hone runs the command line in this process from a directory, and returns what it printed and its exit status.
func hone(t *testing.T, dir string, args ...string) (string, int) {
	t.Helper()
	t.Chdir(dir)
	var out bytes.Buffer
	status := Run(t.Context(), args, &out, &out)
	return out.String(), status
}

// runGolden runs a case, with further flags, and compares it.
func runGolden(t *testing.T, dir, device string, more []string) {
	var c goldenCase
	readJSON(t, filepath.Join(dir, "case.json"), &c)
	var expected struct{ Steps []goldenStep }
	readJSON(t, filepath.Join(dir, "expected.json"), &expected)
	if len(expected.Steps) == 0 || c.Tolerance["loss_rel"] == 0 {
		t.Fatal("golden case is empty")
	}
	out := t.TempDir()
	args := append(append(slices.Clone(c.CLI), "--device", device, "--output_dir", out), more...)
	if text, status := hone(t, dir, args...); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, text)
	}
	logs, _ := filepath.Glob(filepath.Join(out, "*", "v0-*", "logging.jsonl"))
	if len(logs) != 1 {
		t.Fatalf("%d logging.jsonl under %s, want one", len(logs), out)
	}
	compareSteps(t, logs[0], expected.Steps, c.Tolerance)
	last := filepath.Join(filepath.Dir(logs[0]), "checkpoint-"+itoa(len(expected.Steps)))
	compareWeights(t, dir, last, c)
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func compareSteps(t *testing.T, path string, want []goldenStep, tolerance map[string]float64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got []goldenStep
	for s := bufio.NewScanner(f); s.Scan(); {
		var step goldenStep
		if err := json.Unmarshal(s.Bytes(), &step); err != nil {
			t.Fatal(err)
		}
		got = append(got, step)
	}
	if len(got) != len(want) {
		t.Fatalf("%d steps are logged, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Step != w.Step || g.Tokens != w.Tokens {
			t.Fatalf("line %d is step %d with %d tokens, want step %d with %d", i+1, g.Step, g.Tokens, w.Step, w.Tokens)
		}
		near := func(what string, got, want, rel float64) {
			if d := math.Abs(got - want); !(d <= rel*math.Abs(want)) {
				t.Errorf("step %d: %s is %.9g, want %.9g (relative difference %.2g, allowed %.2g)", w.Step, what, got, want, d/math.Abs(want), rel)
			}
		}
		near("loss", g.Loss, w.Loss, tolerance["loss_rel"])
		near("grad_norm", g.GradNorm, w.GradNorm, tolerance["grad_norm_rel"])
		near("learning_rate", g.LearningRate, w.LearningRate, tolerance["learning_rate_rel"])
	}
}

// compareWeights compares the tensors of the last checkpoint with those of the reference: all of an adapter's and no
// others, or those that full fine-tuning kept.
func compareWeights(t *testing.T, dir, checkpoint string, c goldenCase) {
	t.Helper()
	wantPath, gotPath := filepath.Join(dir, "adapter_final", "adapter_model.safetensors"), filepath.Join(checkpoint, "adapter_model.safetensors")
	adapter := true
	if _, err := os.Stat(wantPath); err != nil {
		wantPath, gotPath, adapter = filepath.Join(dir, "weights_final.safetensors"), filepath.Join(checkpoint, "model.safetensors"), false
	}
	want, err := safetensors.Open(wantPath)
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	got, err := safetensors.Open(gotPath)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if adapter && len(got.Tensors()) != len(want.Tensors()) {
		t.Errorf("the adapter has %d tensors, want %d", len(got.Tensors()), len(want.Tensors()))
	}
	worst, sum := 0.0, 0.0
	for _, info := range want.Tensors() {
		w, g := make([]float32, info.Shape.Elements()), make([]float32, info.Shape.Elements())
		if err := want.ReadF32(info.Name, w); err != nil {
			t.Fatal(err)
		}
		if err := got.ReadF32(info.Name, g); err != nil {
			t.Fatal(err)
		}
		for i := range w {
			d := math.Abs(float64(w[i]) - float64(g[i]))
			if math.IsNaN(d) {
				t.Fatalf("tensor %s, element %d is %v", info.Name, i, g[i])
			}
			worst, sum = max(worst, d), sum+d*d
		}
	}
	if worst > c.Tolerance["weights_abs"] {
		t.Errorf("a final weight is off by %.3g, allowed %.3g", worst, c.Tolerance["weights_abs"])
	}
	if rel := math.Sqrt(sum) / c.Noise.Moved; !(rel <= c.Tolerance["weights_rel_l2"]) {
		t.Errorf("final weights differ by %.3g of the way that training moved them, allowed %.3g", rel, c.Tolerance["weights_rel_l2"])
	}
	t.Logf("final weights: largest difference %.3g, relative L2 %.3g", worst, math.Sqrt(sum)/c.Noise.Moved)
}
