package checkpoint

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"hone/core/device/cpu"
	"hone/core/tensor"
)

// loadEnv names the model directory and the way of storing for a process that only loads.
const loadEnv = "HONE_TEST_LOAD"

// TestLoadStreams loads models of some hundred megabytes, each in a process of its own, and asks how much memory that
// process ever had: its weights and a small constant, whatever their type in the file and on the device. Nothing of the
// size of a weight lies beside it.
func TestLoadStreams(t *testing.T) {
	if spec := os.Getenv(loadEnv); spec != "" {
		loadOnly(spec)
		return
	}
	// The largest weight is 75 MB in BF16, 150 MB in F32.
	config := `{"model_type":"llama","hidden_size":768,"num_hidden_layers":4,"num_attention_heads":12,"num_key_value_heads":12,"intermediate_size":3072,
		"vocab_size":49152,"tie_word_embeddings":true,"rms_norm_eps":1e-5}`
	dir := t.TempDir()
	if err := InitModelAs(dir, []byte(config), 1, InitForm{DType: tensor.BF16, MaxShardSize: 100e6}); err != nil {
		t.Fatal(err)
	}
	b, err := OpenBase(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const constant = 16 << 20
	for _, how := range []string{"halves", "wide", "quantised"} {
		var weights int64
		for _, p := range b.Model.Params() {
			weights += (tensor.Type{DType: b.Stored(p, how == "quantised", how != "wide"), Shape: p.Shape}).Bytes()
		}
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestLoadStreams$")
		cmd.Env = append(os.Environ(), loadEnv+"="+how+":"+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var before, peak int64
		if _, err := fmt.Sscanf(string(out), "before %d peak %d", &before, &peak); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		took := peak - before
		t.Logf("%s: weights of %d bytes, loading took %d", how, weights, took)
		if weights < 80e6 || took < weights {
			t.Errorf("%s: %d bytes of weights took %d; the test means nothing", how, weights, took)
		}
		if took > weights+constant {
			t.Errorf("%s: loading %d bytes of weights took %d, more than %d beside them", how, weights, took, constant)
		}
	}
}

// loadOnly loads a model and tells the most memory that the process had, before and after.
func loadOnly(spec string) {
	how, dir, _ := strings.Cut(spec, ":")
	check := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	b, err := OpenBase(dir)
	check(err)
	dev := cpu.New(1)
	runtime.GC()
	before := statusBytes("VmRSS:")
	for _, p := range b.Model.Params() {
		buffer, err := b.Upload(context.Background(), dev, p, b.Stored(p, how == "quantised", how != "wide"))
		check(err)
		defer runtime.KeepAlive(buffer)
	}
	fmt.Printf("before %d peak %d\n", before, statusBytes("VmHWM:"))
	os.Exit(0)
}

// statusBytes reads a line of /proc/self/status.
func statusBytes(name string) (n int64) {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	for line := range bytes.Lines(raw) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			if _, err := fmt.Sscan(string(rest), &n); err != nil {
				panic(err)
			}
		}
	}
	return n << 10
}
