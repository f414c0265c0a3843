package generate_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/core/bundle"
	"hone/core/generate"
	"hone/core/tokenizer"
)

// Reading on gives the logits of reading afresh, whatever the cache had before.
func TestReadOn(t *testing.T) {
	g := open(t, filepath.Join("..", "..", "testdata", "golden", "tiny_llama"), 100)
	ctx := context.Background()
	ids := func(n, salt int) []int32 {
		out := make([]int32, n)
		for i := range out {
			out[i] = int32((i*37 + salt) % 256)
		}
		return out
	}
	base := ids(60, 11)
	fork := append(slices.Clone(base[:40]), ids(30, 5)...)
	for _, step := range []struct {
		prompt []int32
		reused int
	}{{base[:20], 0}, {base, 20}, {fork, 40}, {fork, 69}, {fork[:10], 9}, {base, 10}, {ids(50, 3), 0}} {
		got, reused, err := g.ReadOn(ctx, step.prompt)
		if err != nil || reused != step.reused || !slices.Equal(g.Sequence(), step.prompt) {
			t.Fatalf("%d tokens: %d reused, want %d, error %v", len(step.prompt), reused, step.reused, err)
		}
		got = slices.Clone(got)
		kept := slices.Clone(g.Sequence())
		g.Reset()
		want, err := g.Read(ctx, step.prompt)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if d := math.Abs(float64(want[i] - got[i])); !(d < 1e-4) {
				t.Fatalf("%d tokens, %d reused: logit %d is %v, afresh %v", len(step.prompt), reused, i, got[i], want[i])
			}
		}
		if !slices.Equal(kept, g.Sequence()) {
			t.Fatal("the sequences differ")
		}
	}
}

// A cancelled text leaves a cache that can be gone on with.
func TestCancel(t *testing.T) {
	g := open(t, filepath.Join("..", "..", "testdata", "golden", "tiny_llama"), 100)
	prompt := []int32{5, 9, 200, 31}
	want, err := g.Generate(context.Background(), prompt, generate.Options{MaxNewTokens: 20}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	got, err := g.Generate(ctx, prompt, generate.Options{MaxNewTokens: 20}, func(int32) bool {
		if len(g.Sequence()) == 8 {
			cancel()
		}
		return true
	})
	if !errors.Is(err, context.Canceled) || len(got) != 5 || !slices.Equal(got, want[:5]) {
		t.Fatalf("%v, %v; the whole is %v", got, err, want)
	}
	if got, err = g.Generate(ctx, prompt, generate.Options{MaxNewTokens: 20}, nil); !errors.Is(err, context.Canceled) || len(got) != 0 {
		t.Fatalf("%v, %v", got, err)
	}
	got, err = g.Generate(context.Background(), prompt, generate.Options{MaxNewTokens: 20, Reuse: true}, nil)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%v, %v, want %v", got, err, want)
	}
	got, err = g.Generate(context.Background(), prompt, generate.Options{MaxNewTokens: 20}, func(int32) bool { return len(g.Sequence()) < 6 })
	if err != nil || !slices.Equal(got, want[:3]) {
		t.Fatalf("ended by the reader: %v, %v", got, err)
	}
	if _, err := g.Generate(context.Background(), prompt, generate.Options{MaxNewTokens: 1, Sampling: generate.Sampling{TopP: 2}}, nil); err == nil {
		t.Error("top_p 2 is accepted")
	}
}

// The bundled model: pieces make the text, endings are named, and turns read on.
func TestText(t *testing.T) {
	dir := t.TempDir()
	if err := bundle.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "model")
	tok, err := tokenizer.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	g := open(t, dir, 100)
	ctx := context.Background()
	prompt := append([]int32{tok.BOS}, tok.EncodeText("### User\nTell me a story.\n\n### Assistant\n")...)
	o := generate.TextOptions{Options: generate.Options{MaxNewTokens: 24, Stop: []int32{tok.EOS}}}
	var pieces []string
	whole, err := g.Text(ctx, tok, prompt, o, func(s string) { pieces = append(pieces, s) })
	if err != nil || strings.Join(pieces, "") != whole.Text || whole.Text != tok.Decode(whole.IDs, true) || len(pieces) < 3 {
		t.Fatalf("%q in %q, %v", whole.Text, pieces, err)
	}
	// A stop string in the middle of the text.
	words := []rune(whole.Text)
	at := len(words) / 2
	o.StopStrings = []string{string(words[at : at+4]), "never written"}
	stopped, err := g.Text(ctx, tok, prompt, o, nil)
	if err != nil || stopped.Ending != generate.EndString || stopped.Text != whole.Text[:strings.Index(whole.Text, o.StopStrings[0])] {
		t.Fatalf("%+v, %v", stopped, err)
	}
	o.StopStrings = []string{""}
	if _, err := g.Text(ctx, tok, prompt, o, nil); err == nil {
		t.Error("an empty stop string is accepted")
	}
	o.StopStrings = nil
	for _, c := range []struct {
		change func(*generate.TextOptions)
		prompt []int32
		want   generate.Ending
	}{
		{func(o *generate.TextOptions) { o.MaxNewTokens = 3 }, prompt, generate.EndLength},
		{func(o *generate.TextOptions) { o.MaxNewTokens, o.Stop = 500, nil }, prompt, generate.EndFull},
		{func(o *generate.TextOptions) { o.Stop = whole.IDs[3:4] }, prompt, generate.EndToken},
	} {
		changed := o
		c.change(&changed)
		a, err := g.Text(ctx, tok, c.prompt, changed, nil)
		if err != nil || a.Ending != c.want {
			t.Errorf("%+v, %v, want the ending %s", a, err, c.want)
		}
	}
	// A second turn reads only what is new, and says what it would have said afresh.
	first, err := g.Text(ctx, tok, prompt, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	second := slices.Concat(prompt, first.IDs, []int32{tok.EOS}, tok.EncodeText("\n\n### User\nAnd?\n\n### Assistant\n"))
	o.MaxNewTokens = 8
	afresh, err := g.Text(ctx, tok, second, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Text(ctx, tok, prompt, generate.TextOptions{Options: generate.Options{MaxNewTokens: 24, Stop: o.Stop}}, nil); err != nil {
		t.Fatal(err)
	}
	o.Reuse = true
	on, err := g.Text(ctx, tok, second, o, nil)
	if err != nil || on.Text != afresh.Text || on.Reused < len(prompt)+len(first.IDs)-1 || afresh.Reused != 0 {
		t.Errorf("read on: %+v, %v; afresh %+v", on, err, afresh)
	}
}
