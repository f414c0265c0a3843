//go:build linux

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hone/core/checkpoint"
)

// memoryCase is a random model and how it is trained.
type memoryCase struct {
	config       string
	rows, length int
	args         []string
	least        int64 // bytes that the plan must come to, so that the figure means something
}

const smallLlama = `{"model_type":"llama","hidden_size":512,"num_hidden_layers":4,"num_attention_heads":8,"num_key_value_heads":4,"intermediate_size":1408,
	"vocab_size":24576,"tie_word_embeddings":true,"rms_norm_eps":1e-5,"max_position_embeddings":4096}`

// TestMemoryIsAsPlanned compares what a process took, from just before it opened the model to its end, with the plan.
func TestMemoryIsAsPlanned(t *testing.T) {
	for _, method := range []string{"lora", "qlora", "full"} {
		t.Run(method, func(t *testing.T) {
			planned(t, memoryCase{smallLlama, 2, 96, []string{"--train_type", method, "--max_steps", "3"}, 80e6})
		})
		t.Run(method+"_bfloat16", func(t *testing.T) {
			planned(t, memoryCase{smallLlama, 2, 96, []string{"--train_type", method, "--max_steps", "3"}, 60e6}, "--dtype", "bfloat16", "--max_shard_size", "20MB")
		})
	}
}

// planned runs a case and gives what it took by what was planned; form are flags of hone init.
func planned(t *testing.T, c memoryCase, form ...string) (ratio float64) {
	dir := t.TempDir()
	writeFile(t, dir, "config.json", c.config)
	writeFile(t, dir, "rows.jsonl", rowsOf(6*c.rows, 256, c.length, c.length, 1))
	if out, status := finish(t, process(t, dir, append(append([]string{"init", "--config", "config.json", "--seed", "1"}, form...), "model")...)); status != 0 {
		t.Fatal(out)
	}
	args := append([]string{"--model", "model", "--dataset", "rows.jsonl", "--per_device_train_batch_size", strconv.Itoa(c.rows), "--gradient_accumulation_steps", "2", "--output_dir", "out"}, c.args...)
	out, status := finish(t, process(t, dir, append([]string{"plan"}, args...)...))
	if status != 0 {
		t.Fatal(out)
	}
	total := planLine(t, out, "in all")
	if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
		t.Error("hone plan made the output directory")
	}
	if slices.Contains(c.args, "qlora") {
		if m := regexp.MustCompile(`([0-9.]+) bits a quantised parameter`).FindStringSubmatch(out); m == nil || m[1] != "4.127" {
			t.Errorf("the plan does not give 4.127 bits a quantised parameter:\n%s", out)
		}
	}
	if out, status = finish(t, process(t, dir, append([]string{"sft"}, args...)...)); status != 0 {
		t.Fatal(out)
	}
	m, err := checkpoint.Run{Dir: onlyRun(t, filepath.Join(dir, "out"))}.ReadManifest()
	if err != nil {
		t.Fatal(err)
	}
	if m.Memory == nil || m.Memory.Before <= 0 {
		t.Fatalf("the manifest's memory is %+v", m.Memory)
	}
	took := m.Memory.Peak - m.Memory.Before
	ratio = float64(took) / float64(m.Memory.Planned)
	t.Logf("%v: took %d bytes, planned %d: ratio %.4f", c.args, took, m.Memory.Planned, ratio)
	if math.Abs(ratio-1) > 0.1 {
		t.Errorf("took %d bytes, planned %d: ratio %.3f, allowed 0.9 to 1.1", took, m.Memory.Planned, ratio)
	}
	if m.Memory.Planned != total {
		t.Errorf("the run planned %d bytes, hone plan %d", m.Memory.Planned, total)
	}
	if total < c.least {
		t.Errorf("the plan is %d bytes; this test wants %d at least", total, c.least)
	}
	return ratio
}

// TestMemoryGrowsLinearly asks for the plans of rows of doubling length: neither attention nor loss may hold more than a
// number of bytes for every token. Which buffers share memory changes with the length, and the slope a little with it.
func TestMemoryGrowsLinearly(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "config.json", `{"model_type":"llama","hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":160,
		"vocab_size":4096,"max_position_embeddings":4096}`)
	if out, status := hone(t, dir, "init", "--config", "config.json", "model"); status != 0 {
		t.Fatal(out)
	}
	for _, method := range []string{"lora", "qlora", "full"} {
		for _, recompute := range []string{"true", "false"} {
			var sizes []float64
			lengths := []int{256, 512, 1024, 2048}
			for _, n := range lengths {
				name := fmt.Sprintf("rows%d.jsonl", n)
				writeFile(t, dir, name, rowsOf(2, 4096, n, n, 1))
				out, status := hone(t, dir, "plan", "--model", "model", "--dataset", name, "--max_length", strconv.Itoa(n), "--train_type", method, "--gradient_checkpointing", recompute)
				if status != 0 {
					t.Fatal(out)
				}
				sizes = append(sizes, float64(planLine(t, out, "in all")-planLine(t, out, "data")))
			}
			first := (sizes[1] - sizes[0]) / 256
			last := (sizes[3] - sizes[2]) / 1024
			t.Logf("%s, recompute %s: %.0f bytes a token at 256…512, %.0f at 1024…2048", method, recompute, first, last)
			if first <= 0 || last > 1.1*first {
				t.Errorf("%s, recompute %s: %.0f bytes a token from 256 to 512 tokens, %.0f from 1024 to 2048 (%v bytes in all)", method, recompute, first, last, sizes)
			}
		}
	}
}

// heapWatch looks at the heap when certain steps are logged.
type heapWatch struct {
	bytes.Buffer
	at map[string]uint64
}

func (h *heapWatch) Write(p []byte) (int, error) {
	for step := range h.at {
		if bytes.HasPrefix(p, []byte("step "+step+"/")) {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			h.at[step] = m.HeapAlloc
		}
	}
	return h.Buffer.Write(p)
}

// TestHeapDoesNotGrow trains 200 steps and compares the heap after the 50th and the last.
func TestHeapDoesNotGrow(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "rows.jsonl", rowsOf(40, 256, 6, 40, 1))
	h := &heapWatch{at: map[string]uint64{"50": 0, "200": 0}}
	status := Run(t.Context(), []string{"sft", "--model", tinyLlama(), "--dataset", filepath.Join(dir, "rows.jsonl"), "--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "2",
		"--max_steps", "200", "--logging_steps", "10", "--split_dataset_ratio", "0.1", "--eval_steps", "25", "--save_steps", "40", "--save_total_limit", "2", "--lora_dropout", "0.1", "--output_dir", dir}, h, h)
	if status != 0 || h.at["50"] == 0 || h.at["200"] == 0 {
		t.Fatalf("exit status %d, heap %v:\n%s", status, h.at, h.String())
	}
	t.Logf("heap: %d bytes after step 50, %d after step 200", h.at["50"], h.at["200"])
	if grown := int64(h.at["200"]) - int64(h.at["50"]); grown > 1<<20 {
		t.Errorf("the heap grew by %d bytes from step 50 to step 200", grown)
	}
}

// TestThreadsDoNotMatter runs the same recipe with one thread and with more.
func TestThreadsDoNotMatter(t *testing.T) {
	for _, method := range []string{"lora", "qlora", "full"} {
		dir := t.TempDir()
		args := resumeArgs(t, dir, []string{"--train_type", method, "--max_steps", "6", "--logging_steps", "1", "--split_dataset_ratio", "0.1", "--eval_steps", "2"})
		var runs []string
		for _, threads := range []string{"1", "2", "5"} {
			c := process(t, dir, append(args, "--output_dir", threads)...)
			c.Env = append(c.Env, "GOMAXPROCS="+threads)
			if out, status := finish(t, c); status != 0 || !strings.Contains(out, threads+" threads") {
				t.Fatalf("exit status %d:\n%s", status, out)
			}
			runs = append(runs, onlyRun(t, filepath.Join(dir, threads)))
		}
		sameRun(t, runs[0], runs[1])
		sameRun(t, runs[0], runs[2])
	}
}

// TestInspectCountsTheHeaders compares the parameters that inspect counts with those in the headers of the files.
func TestInspectCountsTheHeaders(t *testing.T) {
	dirs := []string{tinyLlama()}
	for _, name := range []string{"stories260k"} {
		if dir := filepath.Join(packageDir, "..", "..", "..", "shared", "golden", name); exists(filepath.Join(dir, "config.json")) {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no weights (%v)", dir, err)
		}
		total := 0
		for _, f := range files {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			n := int(raw[0]) | int(raw[1])<<8 | int(raw[2])<<16
			var head map[string]struct{ Shape []int }
			if err := json.Unmarshal(raw[8:8+n], &head); err != nil {
				t.Fatal(err)
			}
			delete(head, "__metadata__")
			for _, e := range head {
				elements := 1
				for _, d := range e.Shape {
					elements *= d
				}
				total += elements
			}
		}
		out, status := hone(t, dir, "inspect", dir)
		if m := regexp.MustCompile(`in all +(\d+)`).FindStringSubmatch(out); status != 0 || m == nil || m[1] != strconv.Itoa(total) {
			t.Errorf("%s: exit status %d, the headers hold %d parameters:\n%s", dir, status, total, out)
		}
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }
