package cli

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hone/core/checkpoint"
	"hone/core/device/webgpu"
)

// needWebGPU skips a test where there is no adapter, or fails it where the environment promises one.
func needWebGPU(t *testing.T) {
	t.Helper()
	d, err := webgpu.Open(t.Context(), webgpu.Options{})
	if err == nil {
		d.Close()
		return
	}
	if os.Getenv("HONE_REQUIRE_WEBGPU") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// TestWebGPUGolden trains the smallest reference cases on WebGPU, with both kinds of kernels; `make golden DEVICE=webgpu`
// trains all.
func TestWebGPUGolden(t *testing.T) {
	needWebGPU(t)
	own, _ := goldenDirs(t)
	for _, name := range []string{"tiny_lora", "tiny_qlora", "tiny_full"} {
		for _, variant := range []string{webgpu.Registers, webgpu.Tiled} {
			t.Run(name+" "+variant, func(t *testing.T) {
				runGolden(t, filepath.Join(own, name), "webgpu", []string{"--kernel_variant", variant})
			})
		}
	}
}

// TestWebGPUTwice asks two runs for the same bits, and a third that is resumed half-way for them too, without naming the
// kernels again.
func TestWebGPUTwice(t *testing.T) {
	needWebGPU(t)
	own, _ := goldenDirs(t)
	dir := filepath.Join(own, "tiny_qlora")
	var c goldenCase
	readJSON(t, filepath.Join(dir, "case.json"), &c)
	train := func(out string, more ...string) []byte {
		t.Helper()
		args := append(append([]string{}, c.CLI...), "--device", "webgpu", "--output_dir", out, "--max_steps", "4", "--save_steps", "2")
		if text, status := hone(t, dir, append(args, more...)...); status != 0 {
			t.Fatalf("exit status %d:\n%s", status, text)
		}
		found, _ := filepath.Glob(filepath.Join(out, "*", "v0-*", "checkpoint-4", checkpoint.AdapterTensors))
		if len(found) != 1 {
			t.Fatalf("%d adapters under %s", len(found), out)
		}
		raw, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	first, again := t.TempDir(), t.TempDir()
	want := train(first, "--kernel_variant", webgpu.Tiled)
	if !bytes.Equal(train(again, "--kernel_variant", webgpu.Tiled), want) {
		t.Error("two runs differ")
	}
	halves, _ := filepath.Glob(filepath.Join(again, "*", "v0-*", "checkpoint-2"))
	if len(halves) != 1 {
		t.Fatalf("%d checkpoints of step 2", len(halves))
	}
	text, status := hone(t, dir, "sft", "--resume_from_checkpoint", halves[0], "--device", "webgpu")
	if status != 0 || strings.Contains(text, "the checkpoint was computed with") {
		t.Fatalf("exit status %d:\n%s", status, text)
	}
	resumed, err := os.ReadFile(filepath.Join(filepath.Dir(halves[0]), "checkpoint-4", checkpoint.AdapterTensors))
	if err != nil || !bytes.Equal(resumed, want) {
		t.Errorf("the resumed run differs (%v)", err)
	}
}

// TestDevices asks what `hone devices` says, and refusals of what does not go together.
func TestDevices(t *testing.T) {
	needWebGPU(t)
	own, _ := goldenDirs(t)
	text, status := hone(t, t.TempDir(), "devices")
	for _, want := range []string{"cpu\n", "webgpu\n", "maxStorageBufferBindingSize", "features: ", "GFLOP/s", "GB/s"} {
		if status != 0 || !strings.Contains(text, want) {
			t.Errorf("exit status %d, and %q is not in\n%s", status, want, text)
		}
	}
	if text, status := hone(t, t.TempDir(), "devices", "extra"); status == 0 || !strings.Contains(text, "extra") {
		t.Errorf("a stray argument gives exit status %d:\n%s", status, text)
	}
	var c goldenCase
	readJSON(t, filepath.Join(own, "tiny_lora", "case.json"), &c)
	for want, more := range map[string][]string{
		"leave one of them out":     {"--device", "cpu", "--kernel_variant", "tiled"},
		"more than --device_memory": {"--device", "webgpu", "--device_memory", "300000"},
	} {
		args := append(append(append([]string{}, c.CLI...), "--output_dir", t.TempDir()), more...)
		if text, status := hone(t, filepath.Join(own, "tiny_lora"), args...); status != 1 || !strings.Contains(text, want) {
			t.Errorf("%q: exit status %d:\n%s", more, status, text)
		}
	}
}

// TestWebGPUPaged trains all weights in memory that has no room for the moments: refused with adamw, which names the remedy;
// with paged_adamw the losses and the weights are those of a run with room for all, and a State of either goes on as the other.
func TestWebGPUPaged(t *testing.T) {
	needWebGPU(t)
	own, _ := goldenDirs(t)
	dir := filepath.Join(own, "tiny_full")
	var c goldenCase
	readJSON(t, filepath.Join(dir, "case.json"), &c)
	args := append(append([]string{}, c.CLI[1:]...), "--device", "webgpu", "--kernel_variant", webgpu.Registers, "--max_steps", "4", "--save_steps", "2")
	sft := func(more ...string) (out, text string, status int) {
		out = t.TempDir()
		text, status = hone(t, dir, append(append([]string{"sft", "--output_dir", out}, args...), more...)...)
		return out, text, status
	}
	text, status := hone(t, dir, append([]string{"plan", "--optim", "paged_adamw"}, args...)...)
	if status != 0 || !strings.Contains(text, "paged_adamw: of one layer at a time") {
		t.Fatalf("exit status %d:\n%s", status, text)
	}
	memory := strconv.FormatInt(planLine(t, text, "in all")-planLine(t, text, "moments elsewhere"), 10)
	result := func(out, step string) map[string][]byte {
		t.Helper()
		files := map[string][]byte{}
		for _, name := range []string{checkpoint.ModelTensors, checkpoint.StateTensors} {
			found, _ := filepath.Glob(filepath.Join(out, "*", "v0-*", "checkpoint-"+step, name))
			if len(found) != 1 {
				t.Fatalf("%d files %s under %s", len(found), name, out)
			}
			raw, err := os.ReadFile(found[0])
			if err != nil {
				t.Fatal(err)
			}
			files[name] = raw
		}
		return files
	}
	resident, text, status := sft()
	if status != 0 {
		t.Fatalf("exit status %d:\n%s", status, text)
	}
	if _, text, status := sft("--device_memory", memory); status != 1 || !strings.Contains(text, "--optim paged_adamw") {
		t.Errorf("adamw in %s bytes: exit status %d:\n%s", memory, status, text)
	}
	paged, text, status := sft("--device_memory", memory, "--optim", "paged_adamw_32bit")
	if status != 0 {
		t.Fatalf("exit status %d:\n%s", status, text)
	}
	want := result(resident, "4")
	for name, got := range result(paged, "4") {
		if !bytes.Equal(got, want[name]) {
			t.Errorf("with paged moments %s differs", name)
		}
	}
	if got, want := losses(t, paged), losses(t, resident); !slices.Equal(got, want) || len(want) != 4 {
		t.Errorf("losses and norms %q with paged moments, %q with moments on the device", got, want)
	}
	halves, _ := filepath.Glob(filepath.Join(resident, "*", "v0-*", "checkpoint-2"))
	if len(halves) != 1 {
		t.Fatalf("%d checkpoints of step 2", len(halves))
	}
	if text, status := hone(t, dir, "sft", "--resume_from_checkpoint", halves[0], "--device", "webgpu", "--optim", "paged_adamw", "--device_memory", memory); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, text)
	}
	for name, got := range result(resident, "4") {
		if !bytes.Equal(got, want[name]) {
			t.Errorf("resumed with paged moments, %s differs", name)
		}
	}
}

// losses are the loss and the norm of every line of a run's log, as written.
func losses(t *testing.T, out string) (list []string) {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(out, "*", "v0-*", "logging.jsonl"))
	if len(found) != 1 {
		t.Fatalf("%d logs under %s", len(found), out)
	}
	raw, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		var l struct {
			Loss     json.Number `json:"loss"`
			GradNorm json.Number `json:"grad_norm"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		list = append(list, l.Loss.String()+" "+l.GradNorm.String())
	}
	return list
}

// TestWebGPUBench times small steps of every method; the buffers take what was planned.
func TestWebGPUBench(t *testing.T) {
	needWebGPU(t)
	for _, method := range []string{"lora", "qlora", "full"} {
		text, status := hone(t, t.TempDir(), "bench", "--device", "webgpu", "--method", method, "--hidden", "64", "--layers", "2", "--heads", "2", "--kv", "1",
			"--inter", "96", "--vocab", "301", "--seq", "16", "--batch", "2", "--steps", "1", "--warmup", "1")
		var line struct {
			Live    int64 `json:"live_bytes"`
			Planned int64 `json:"planned_bytes"`
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil || status != 0 {
			t.Fatalf("exit status %d, %v:\n%s", status, err, text)
		}
		if line.Live == 0 || line.Live != line.Planned {
			t.Errorf("%s: %d bytes of live buffers, %d planned", method, line.Live, line.Planned)
		}
	}
}

// TestWebGPUBitsAndBytes trains on a model that bitsandbytes quantised without double quantisation, as the CPU does.
func TestWebGPUBitsAndBytes(t *testing.T) {
	needWebGPU(t)
	model := bitsAndBytes(t, smallModelDir(t, smallConfigs[0].config), bnbForm{double: false, storage: "U8"})
	rows := writeFile(t, t.TempDir(), "rows.jsonl", rowsOf(4, 96, 5, 20, 1))
	var got [2][]string
	for i, device := range []string{"cpu", "webgpu"} {
		out := t.TempDir()
		if text, status := hone(t, out, "sft", "--model", model, "--dataset", rows, "--train_type", "qlora", "--learning_rate", "0.01", "--max_length", "60", "--max_steps", "3",
			"--split_dataset_ratio", "0", "--logging_steps", "1", "--device", device, "--output_dir", out); status != 0 {
			t.Fatalf("%s: exit status %d:\n%s", device, status, text)
		}
		got[i] = losses(t, out)
	}
	for i, want := range got[0] {
		for j, w := range strings.Fields(want) {
			x, _ := strconv.ParseFloat(w, 64)
			y, _ := strconv.ParseFloat(strings.Fields(got[1][i])[j], 64)
			if !(math.Abs(x-y) <= 1e-4*max(1, x)) {
				t.Errorf("step %d has loss and norm %s on the CPU, %s on WebGPU", i+1, want, got[1][i])
			}
		}
	}
}
