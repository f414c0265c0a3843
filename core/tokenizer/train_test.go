package tokenizer

import (
	"bytes"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hone/core/golden"
)

var bilingual = []string{
	"Once upon a time there was a little girl who liked to read in the garden.",
	"The girl read a story to the dog, and the dog liked the story.",
	"从前有一个小女孩，她喜欢在花园里读书。小女孩给小狗读了一个故事。",
	"小狗喜欢这个故事，小女孩也喜欢这个故事。",
	"In 2024 she read 365 stories: 一天一个故事!",
	"  two  spaces\n\tand a tab\r\n",
}

func trainBilingual(t testing.TB, size int) *Trained {
	t.Helper()
	// Twice, so that every pair stands often enough to be merged.
	trained, err := Train(slices.Values(slices.Concat(bilingual, bilingual)), TrainOptions{VocabSize: size, SpecialTokens: []string{"<pad>"}, Pad: "<pad>"})
	if err != nil {
		t.Fatal(err)
	}
	return trained
}

func TestTrainedVocabulary(t *testing.T) {
	trained := trainBilingual(t, 425)
	if len(trained.Vocab) != 425 {
		t.Errorf("%d tokens, want 425", len(trained.Vocab))
	}
	if !slices.Equal(trained.Vocab[:5], []string{"<unk>", "<s>", "</s>", "<pad>", "<0x00>"}) {
		t.Errorf("the vocabulary begins with %q", trained.Vocab[:5])
	}
	for _, want := range []string{"▁the", "个故事", "喜欢", "小女孩"} {
		if !slices.Contains(trained.Vocab, want) {
			t.Errorf("%q is not a token", want)
		}
	}
	for _, token := range trained.Vocab[260:] {
		if i := strings.LastIndex(token, space); i > 0 || token == "" || strings.ContainsAny(token, " \n0123456789") && utf8.RuneCountInString(token) > 1 {
			t.Errorf("token %q crosses a word's border", token)
		}
	}
	for range 3 { // a map is walked differently every time
		again := trainBilingual(t, 425)
		if !slices.Equal(trained.Vocab, again.Vocab) || !slices.Equal(trained.Merges, again.Merges) {
			t.Fatal("the same texts gave another vocabulary")
		}
	}
}

// naiveTrain counts all pairs anew for every merge.
func naiveTrain(words map[string]int, known map[string]int32, size int) [][2]string {
	split := map[string][]string{}
	for w := range words {
		for _, r := range w {
			split[w] = append(split[w], string(r))
		}
	}
	ids := map[string]int32{}
	for s, id := range known {
		ids[s] = id
	}
	var merges [][2]string
	for len(ids) < size {
		counts := map[[2]string]int{}
		for w, s := range split {
			for i := 1; i < len(s); i++ {
				counts[[2]string{s[i-1], s[i]}] += words[w]
			}
		}
		var best [2]string
		for p, n := range counts {
			if utf8.RuneCountInString(p[0]+p[1]) > maxTokenRunes {
				continue
			}
			m := counts[best]
			if n > m || n == m && (ids[p[0]] < ids[best[0]] || p[0] == best[0] && ids[p[1]] < ids[best[1]]) {
				best = p
			}
		}
		if counts[best] < 2 {
			break
		}
		merges = append(merges, best)
		if _, ok := ids[best[0]+best[1]]; !ok {
			ids[best[0]+best[1]] = int32(len(ids))
		}
		for w, s := range split {
			var out []string
			for i := 0; i < len(s); i++ {
				if i+1 < len(s) && s[i] == best[0] && s[i+1] == best[1] {
					out = append(out, s[i]+s[i+1])
					i++
				} else {
					out = append(out, s[i])
				}
			}
			split[w] = out
		}
	}
	return merges
}

func TestTrainerAgreesWithCountingAnew(t *testing.T) {
	texts := slices.Clone(bilingual)
	r := rand.New(rand.NewSource(1))
	for range 200 {
		b := make([]byte, 1+r.Intn(12))
		for i := range b {
			b[i] = "ab c"[r.Intn(4)]
		}
		texts = append(texts, string(b))
	}
	trained, err := Train(slices.Values(texts), TrainOptions{VocabSize: 600})
	if err != nil {
		t.Fatal(err)
	}
	words, _ := countWords(slices.Values(texts))
	ids := map[string]int32{}
	for i, s := range trained.Vocab[:len(trained.Vocab)-len(trained.Merges)+countRepeats(trained)] {
		ids[s] = int32(i)
	}
	// Words with characters outside the alphabet are cut there, as Train does.
	cut := map[string]int{}
	for w, n := range words {
		for _, part := range strings.FieldsFunc(w, func(r rune) bool { _, ok := ids[string(r)]; return !ok }) {
			cut[part] += n
		}
	}
	want := naiveTrain(cut, ids, 600)
	if len(want) < 90 {
		t.Fatalf("only %d merges to compare", len(want))
	}
	if !slices.Equal(trained.Merges, want) {
		for i := range min(len(want), len(trained.Merges)) {
			if want[i] != trained.Merges[i] {
				t.Fatalf("merge %d is %q, want %q", i, trained.Merges[i], want[i])
			}
		}
		t.Fatalf("%d merges, want %d", len(trained.Merges), len(want))
	}
}

// countRepeats is the number of merges whose token another merge had made before.
func countRepeats(t *Trained) int {
	seen, n := map[string]bool{}, 0
	for _, m := range t.Merges {
		if seen[m[0]+m[1]] {
			n++
		}
		seen[m[0]+m[1]] = true
	}
	return n
}

func TestSaveAndLoad(t *testing.T) {
	trained := trainBilingual(t, 425)
	direct, err := trained.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "tok")
	if err := trained.Save(dir); err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.BOS != 1 || loaded.EOS != 2 || loaded.Pad != 3 || loaded.Size() != 425 {
		t.Errorf("bos %d, eos %d, pad %d, size %d", loaded.BOS, loaded.EOS, loaded.Pad, loaded.Size())
	}
	for _, text := range append(bilingual, "🚀 unseen Ω", "<s>not special</s><0x41>") {
		a, b := direct.Encode(text, true), loaded.Encode(text, true)
		if !slices.Equal(a, b) {
			t.Errorf("%q: %v before saving, %v after", text, a, b)
		}
		if got := loaded.Decode(loaded.EncodeText(text), true); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
	// Every merge puts two tokens into one that exists, so each of them shortens some text.
	for i, m := range trained.Merges {
		if _, ok := loaded.ID(m[0] + m[1]); !ok || m[0] == "" || m[1] == "" {
			t.Errorf("merge %d of %q makes no token", i, m)
		}
	}
	for _, text := range bilingual {
		if ids := loaded.EncodeText(text); len(ids) >= utf8.RuneCountInString(text)+1 {
			t.Errorf("%q has %d characters and %d tokens", text, utf8.RuneCountInString(text), len(ids))
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil || !bytes.Contains(raw, []byte(`"<s>"`)) {
		t.Errorf("the file escapes < or is unreadable: %v", err)
	}
}

func TestTrainRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		texts []string
		opt   TrainOptions
		want  string
	}{
		"small":   {bilingual, TrainOptions{VocabSize: 259}, "leaves no room"},
		"no text": {nil, TrainOptions{VocabSize: 300}, "no text"},
		"twice":   {bilingual, TrainOptions{VocabSize: 300, SpecialTokens: []string{"<s>"}}, "<s>"},
		"pad":     {bilingual, TrainOptions{VocabSize: 300, Pad: "<pad>"}, "<pad>"},
	} {
		if _, err := Train(slices.Values(c.texts), c.opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestTrainOnSharedText(t *testing.T) {
	raw, err := os.ReadFile(golden.Shared(t, "data/datasets/tinyshakespeare.txt"))
	if err != nil {
		t.Fatal(err)
	}
	zh, err := os.ReadFile(golden.Shared(t, "data/datasets/alpaca_zh_demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	trained, err := Train(slices.Values([]string{string(raw), string(zh)}), TrainOptions{VocabSize: 4000})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d tokens from %d bytes in %v", len(trained.Vocab), len(raw)+len(zh), time.Since(start))
	tok, err := trained.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	start = time.Now()
	text := string(raw) + string(zh)
	ids := tok.EncodeText(text)
	t.Logf("%d ids in %v: %.2f bytes a token", len(ids), time.Since(start), float64(len(text))/float64(len(ids)))
	if got := tok.Decode(ids, true); got != strings.ReplaceAll(text, space, " ") {
		t.Error("the text does not come back")
	}
	if len(ids) > len(text)/2 {
		t.Errorf("%d tokens for %d bytes", len(ids), len(text))
	}
}

// A character that stands once in many is written as bytes, unless all are to be covered.
func TestCoverage(t *testing.T) {
	texts := []string{strings.Repeat("many words of a few letters ", 500), "罕"}
	for coverage, want := range map[float64]bool{0: false, 0.9995: false, 1: true} {
		trained, err := Train(slices.Values(texts), TrainOptions{VocabSize: 400, Coverage: coverage})
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(trained.Vocab, "罕"); got != want {
			t.Errorf("coverage %v: the rare character has a token: %v", coverage, got)
		}
	}
}
