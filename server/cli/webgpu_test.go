package cli

import (
	"bytes"
	"os"
	"path/filepath"
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
