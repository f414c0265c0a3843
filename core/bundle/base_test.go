package bundle_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/bundle"
	"hone/core/bundle/world"
	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/generate"
	"hone/core/ir"
	"hone/core/nn"
	"hone/core/tensor"
	"hone/core/tokenizer"
)

// continuer is the bundled base as it was pre-trained: it goes on with a text.
type continuer struct {
	*generate.Generator
	tok *tokenizer.Tokenizer
}

func openBase(t *testing.T) continuer {
	t.Helper()
	dir := t.TempDir()
	if err := bundle.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "model")
	tok, err := tokenizer.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	base, err := checkpoint.OpenBase(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, dev, states := context.Background(), cpu.New(0), map[string]device.Buffer{}
	for _, p := range base.Model.Params() {
		if states[p.Name], err = base.Upload(ctx, dev, p, tensor.F32); err != nil {
			t.Fatal(err)
		}
	}
	g, err := generate.New(ctx, dev, base.Model, func(b *ir.Builder) *nn.Context {
		return &nn.Context{Builder: b, Tuner: nn.NoTuner{}, DropoutKey: ir.None,
			Weight: func(_ string, s tensor.Shape) (tensor.Type, bool) { return tensor.Of(tensor.F32, s...), true }}
	}, states, 128)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close(); dev.Close(); base.Close() })
	return continuer{g, tok}
}

func (c continuer) ids(text string) []int32 {
	return append([]int32{c.tok.BOS}, c.tok.EncodeText(text)...)
}

// What the course shows of a language model: the next token has probabilities, and the likely ones make sense.
func TestBaseContinues(t *testing.T) {
	c := openBase(t)
	ctx := context.Background()
	for language, sensible := range map[world.Language][]string{world.English: {"nice", "cold", "hot", "bad"}, world.Chinese: {"好", "冷", "热", "差"}} {
		logits, err := c.Read(ctx, c.ids(bundle.Openings[language]))
		if err != nil {
			t.Fatal(err)
		}
		top, err := generate.TopProbabilities(logits, len(sensible))
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range top {
			word := strings.TrimSpace(c.tok.Decode([]int32{x.ID}, true))
			t.Logf("%s: %s %.3f", bundle.Openings[language], word, x.Probability)
			if i == 0 && word != sensible[0] || !slices.Contains(sensible, word) {
				t.Errorf("%q goes on with %q in place %d; expected %v, the first in front", bundle.Openings[language], word, i+1, sensible)
			}
		}
		c.Reset()
	}
}

// The base has learnt the facts: of every one that is asked for, it knows the second half.
func TestBaseKnowsTheFacts(t *testing.T) {
	c := openBase(t)
	ctx := context.Background()
	train, held := world.Questions(worldSeed, world.HeldOut)
	asked, right := map[world.Language]int{}, map[world.Language]int{}
	seen := map[string]bool{}
	for _, q := range append(train, held...) {
		if q.Task != "world" || q.Topic == "sums" || q.Topic == "needs" || seen[q.Output] {
			continue
		}
		seen[q.Output] = true
		ids := c.ids(q.Output)
		cut := len(ids)/2 + 1 // what is new stands in the second half
		c.Reset()
		got, err := c.Generate(ctx, ids[:cut], generate.Options{MaxNewTokens: len(ids) - cut}, nil)
		if err != nil {
			t.Fatal(err)
		}
		asked[q.Language]++
		if slices.Equal(got, ids[cut:]) {
			right[q.Language]++
		} else {
			t.Logf("%q goes on with %q", q.Output, c.tok.Decode(append(slices.Clone(ids[:cut]), got...), true))
		}
	}
	for _, l := range world.Languages {
		t.Logf("%s: %d of %d facts", l, right[l], asked[l])
		if right[l]*100 < asked[l]*97 {
			t.Errorf("the base knows %d of %d facts in %s", right[l], asked[l], l)
		}
	}
}
