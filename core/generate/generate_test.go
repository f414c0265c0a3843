package generate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/generate"
	"hone/core/golden"
	"hone/core/ir"
	"hone/core/nn"
	"hone/core/tensor"
)

// open makes a generator of a model directory on the CPU.
func open(t *testing.T, dir string, capacity int) *generate.Generator {
	return openWithout(t, dir, capacity, "")
}

// openWithout is open with zeros for one weight.
func openWithout(t *testing.T, dir string, capacity int, zero string) *generate.Generator {
	t.Helper()
	ctx := context.Background()
	base, err := checkpoint.OpenBase(dir)
	if err != nil {
		t.Fatal(err)
	}
	dev := cpu.New(2)
	states := map[string]device.Buffer{}
	for _, p := range base.Model.Params() {
		if states[p.Name], err = base.Upload(ctx, dev, p, tensor.F32); err != nil {
			t.Fatal(err)
		}
		if p.Name == zero {
			if err := dev.Write(ctx, states[p.Name], bytes.NewReader(make([]byte, states[p.Name].Type().Bytes()))); err != nil {
				t.Fatal(err)
			}
		}
	}
	g, err := generate.New(ctx, dev, base.Model, func(b *ir.Builder) *nn.Context {
		return &nn.Context{Builder: b, Tuner: nn.NoTuner{}, DropoutKey: ir.None,
			Weight: func(_ string, s tensor.Shape) (tensor.Type, bool) { return tensor.Of(tensor.F32, s...), true }}
	}, states, capacity)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close(); dev.Close(); base.Close() })
	return g
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatal(err)
	}
}

// A trained model of the shared folder: logits and 200 greedy tokens of an independent reference.
func TestStories260K(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "golden", "stories260k")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("../shared is not beside this checkout; TestCacheEqualsWhole covers the repository's own model")
	}
	g := open(t, dir, 256)
	var greedy struct {
		Start []int32 `json:"start_ids"`
		IDs   []int32 `json:"ids"`
	}
	readJSON(t, filepath.Join(dir, "greedy.json"), &greedy)
	got, err := g.Generate(context.Background(), greedy.Start, generate.Options{MaxNewTokens: 200}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := greedy.IDs[len(greedy.IDs)-200:]
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("greedy token %d is %d, want %d", i, got[i], want[i])
		}
	}
	var logits struct {
		Tolerance struct {
			Abs float64 `json:"logits_abs"`
		} `json:"tolerance"`
		Cases []struct {
			IDs    []int32   `json:"input_ids"`
			Logits []float64 `json:"logits_last"`
		} `json:"cases"`
	}
	readJSON(t, filepath.Join(dir, "logits.json"), &logits)
	for i, c := range logits.Cases {
		g.Reset()
		got, err := g.Read(context.Background(), c.IDs)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Logits) != len(got) {
			t.Fatalf("case %d has %d logits, the model %d", i, len(c.Logits), len(got))
		}
		for j, want := range c.Logits {
			if d := math.Abs(float64(got[j]) - want); !(d <= logits.Tolerance.Abs) {
				t.Fatalf("case %d: logit %d is %v, want %v (difference %.2g)", i, j, got[j], want, d)
			}
		}
	}
}

// Reading token by token through the cache gives the logits of reading all at once, chunk borders included.
func TestCacheEqualsWhole(t *testing.T) {
	g := open(t, filepath.Join("..", "..", "testdata", "golden", "tiny_llama"), 100)
	ids := make([]int32, 70)
	for i := range ids {
		ids[i] = int32((i*37 + 11) % 256)
	}
	for _, n := range []int{1, 2, 31, 32, 33, 64, 70} {
		g.Reset()
		whole, err := g.Read(context.Background(), ids[:n])
		if err != nil {
			t.Fatal(err)
		}
		whole = append([]float32(nil), whole...)
		g.Reset()
		var last []float32
		for _, id := range ids[:n] {
			if last, err = g.Read(context.Background(), []int32{id}); err != nil {
				t.Fatal(err)
			}
		}
		for j := range whole {
			if d := math.Abs(float64(whole[j] - last[j])); !(d < 1e-4) {
				t.Fatalf("%d tokens: logit %d is %v at once and %v one by one", n, j, whole[j], last[j])
			}
		}
	}
	if _, err := g.Read(context.Background(), make([]int32, 40)); err == nil {
		t.Error("a sequence beyond the cache is accepted")
	}
	g.Reset()
	if _, err := g.Read(context.Background(), []int32{256}); err == nil {
		t.Error("an id beyond the vocabulary is accepted")
	}
}

// Of most settings the device gives only the greatest logits. The text is the one that all of them give, of a model without any
// preference too, whose logits are all the same.
func TestFewLogitsGiveTheSame(t *testing.T) {
	ctx := context.Background()
	dir := golden.Own(t, "tiny_llama")
	prompt := make([]int32, 37)
	for i := range prompt {
		prompt[i] = int32(5 + i*7%50)
	}
	for name, g := range map[string]*generate.Generator{"random": open(t, dir, 64), "no preference": openWithout(t, dir, 64, "model.embed_tokens.weight")} {
		for _, s := range []generate.Sampling{{}, {Temperature: 1.5, TopK: 1}, {Temperature: 0.7, TopK: 20, Seed: 3}, {Temperature: 3, TopK: 100, TopP: 0.8, Seed: 4},
			{Temperature: 2, TopK: 30, MinP: 0.3, Seed: 5}, {Temperature: 1, TopK: 10000}, {Temperature: 1, Seed: 6}, {Temperature: 1, TopK: 20, RepetitionPenalty: 1.3}} {
			got, err := g.Generate(ctx, prompt, generate.Options{MaxNewTokens: 20, Sampling: s}, nil)
			if err != nil {
				t.Fatalf("%s, %+v: %v", name, s, err)
			}
			g.Reset()
			logits, _, err := g.ReadOn(ctx, prompt)
			if err != nil {
				t.Fatal(err)
			}
			for i, id := range got {
				want, err := s.Next(logits, g.Sequence())
				if err != nil || id != want {
					t.Fatalf("%s, %+v: token %d is %d, all logits give %d (%v)", name, s, i, id, want, err)
				}
				if i < len(got)-1 {
					if logits, err = g.Read(ctx, []int32{id}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if len(got) != 20 {
				t.Errorf("%s, %+v: %d tokens", name, s, len(got))
			}
		}
	}
}
