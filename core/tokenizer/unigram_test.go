package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

// unigramOf is a Unigram tokenizer.json.
func unigramOf(t testing.TB, parts string, f unigramFile) *Tokenizer {
	t.Helper()
	raw, err := plainJSON(f, "")
	if err != nil {
		t.Fatal(err)
	}
	return mustLoad(t, small(parts, strings.Replace(string(raw), `"type":""`, `"type":"Unigram"`, 1)))
}

// bestCut tries every way to cut a word into pieces and unknown characters, and gives the greatest sum of scores.
func bestCut(m *unigram, word string) float64 {
	if word == "" {
		return 0
	}
	best := math.Inf(-1)
	first := len(string([]rune(word)[:1]))
	alone := false
	for end := 1; end <= len(word); end++ {
		if id, ok := m.ids[word[:end]]; ok && id != m.unk {
			best = max(best, m.file.Vocab[id].score+bestCut(m, word[end:]))
			alone = alone || end == first
		}
	}
	if !alone {
		best = max(best, m.lowest-unkPenalty+bestCut(m, word[first:]))
	}
	return best
}

func TestUnigramAgreesWithAllSegmentations(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	letters := []string{"a", "b", "é", "▁", "你", "z"} // z is in no piece
	for round := range 60 {
		f := unigramFile{UnkID: new(int32), Vocab: []piece{{"<unk>", 0}}}
		seen := map[string]bool{}
		for range 25 {
			token := ""
			for range 1 + r.Intn(4) {
				token += letters[r.Intn(5)]
			}
			if !seen[token] {
				f.Vocab = append(f.Vocab, piece{token, -r.Float64() * 10})
			}
			seen[token] = true
		}
		tok := unigramOf(t, "", f)
		m := tok.model.(*unigram)
		for range 60 {
			word := ""
			for range r.Intn(9) {
				word += letters[r.Intn(6)]
			}
			ids := tok.EncodeText(word)
			// The sum of what was chosen is that of the best of all ways; unknown characters count one by one.
			sum, at := 0.0, 0
			for i, id := range ids {
				if id != 0 {
					sum += f.Vocab[id].score
					at += len(f.Vocab[id].token)
					continue
				}
				if i > 0 && ids[i-1] == 0 {
					t.Fatalf("round %d, %q: %v has two unknown tokens side by side", round, word, ids)
				}
				for at < len(word) && (i+1 == len(ids) || !strings.HasPrefix(word[at:], f.Vocab[ids[i+1]].token) || utf8Alone(m, word[at:])) {
					sum += m.lowest - unkPenalty
					at += len(string([]rune(word[at:])[:1]))
				}
			}
			if want := bestCut(m, word); at != len(word) || math.Abs(sum-want) > 1e-9 {
				t.Fatalf("round %d, %q: %v covers %d bytes with %g; the best way has %g", round, word, ids, at, sum, want)
			}
		}
	}
}

// utf8Alone reports a character that is in no piece at all.
func utf8Alone(m *unigram, text string) bool {
	first := string([]rune(text)[:1])
	for token := range m.ids {
		if strings.Contains(token, first) {
			return false
		}
	}
	return true
}

func TestUnigramBytesAndSpecialTokens(t *testing.T) {
	f := unigramFile{UnkID: new(int32), ByteFallback: true, Vocab: []piece{{"<unk>", 0}, {"<s>", 0}, {"▁a", -1}, {"a", -2}, {"▁", -3}, {"<", -4}, {"s", -5}, {">", -6}}}
	for b := range 256 {
		f.Vocab = append(f.Vocab, piece{byteName(byte(b)), 0})
	}
	tok := unigramOf(t, `"added_tokens":[{"id":1,"content":"<s>","special":true}],"pre_tokenizer":{"type":"Metaspace"},"decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Metaspace"}]}`, f)
	for text, want := range map[string][]int32{
		"a a":    {2, 2},
		"é":      {4, 8 + 0xC3, 8 + 0xA9},
		"<s>":    {4, 5, 6, 7}, // plain text: not the token
		"<0x41>": {4, 5, 8 + '0', 8 + 'x', 8 + '4', 8 + '1', 7},
	} {
		got := tok.EncodeText(text)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
		if back := tok.Decode(got, true); back != text {
			t.Errorf("%q came back as %q", text, back)
		}
	}
	if got := tok.Encode("<s>a", false); !slices.Equal(got, []int32{1, 2}) {
		t.Errorf("trusted text: %v", got)
	}
	f.ByteFallback = false
	plain := unigramOf(t, "", f)
	if got := plain.EncodeText("aéxa"); !slices.Equal(got, []int32{3, 0, 3}) {
		t.Errorf("without bytes: %v", got)
	}
}

// A Unigram tokenizer.model does what its parts say: characters exchanged, spaces collapsed, a ▁ in front.
func TestSentencePieceUnigram(t *testing.T) {
	s := &spModel{kind: 1, unk: "<unk>", bos: "<s>", eos: "</s>", dummyPrefix: true, extraSpaces: true, escapeSpaces: true,
		charsmap: charsmapOf(map[string]string{"\t": " ", "\n": " ", "ﬁ": "fi", "Ａ": "A", "e\u0301": "é", "e\u0301\u0301": "E"}),
		pieces: []spPiece{{"<unk>", 0, spUnknown}, {"<s>", 0, spControl}, {"</s>", 0, spControl}, {"<sep>", 0, spUserDefined},
			{"▁", -2, spNormal}, {"f", -5, spNormal}, {"i", -5, spNormal}, {"▁fi", -3, spNormal}, {"fi", -4, spNormal}, {"A", -4, spNormal}, {"é", -4, spNormal}, {"E", -6, spNormal}}}
	files := map[string]string{"tokenizer.model": string(sentencePieceFile(s)), "tokenizer_config.json": `{"tokenizer_class":"T5Tokenizer","eos_token":"</s>"}`}
	tok := mustLoadDir(t, files)
	for text, want := range map[string][]int32{
		"":                {2},
		"   ":             {2},
		" ﬁ\t\n  Ａ ":      {7, 4, 9, 2},
		"fi<sep>fi":       {7, 3, 7, 2},
		"e\u0301":         {4, 10, 2},
		"e\u0301\u0301fi": {4, 11, 8, 2},
		"<s>x":            {1, 4, 0, 2},
	} {
		if got := tok.Encode(text, true); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if got := tok.EncodeText("<s>fi"); !slices.Equal(got, []int32{4, 0, 8}) {
		t.Errorf("a control symbol in plain text: %v", got)
	}
	if got, want := tok.Decode([]int32{7, 4, 9}, true), "fi A"; got != want {
		t.Errorf("decoded %q, want %q", got, want)
	}
	agree(t, tok, tok, []string{"", " ﬁ\t\n  Ａ ", "fi<sep>fi", "e\u0301", "日本"})

	files["tokenizer_config.json"] = `{"tokenizer_class":"XLMRobertaTokenizer"}`
	if _, err := LoadDir(dirWith(t, files)); err == nil || !strings.Contains(err.Error(), "XLMRobertaTokenizer") {
		t.Errorf("a class with other ids: %v", err)
	}
	for name, change := range map[string]func(s *spModel){
		"suffix": func(s *spModel) { s.whitespaceAfter = true },
		"words":  func(s *spModel) { s.kind = 3 },
		"twice":  func(s *spModel) { s.pieces = append(s.pieces, spPiece{"fi", 0, spNormal}) },
		"unused": func(s *spModel) { s.pieces = append(s.pieces, spPiece{"unu", 0, spUnused}) },
	} {
		bad := *s
		bad.pieces = slices.Clone(s.pieces)
		change(&bad)
		if _, err := LoadDir(dirWith(t, map[string]string{"tokenizer.model": string(sentencePieceFile(&bad))})); err == nil || !strings.Contains(err.Error(), map[string]string{
			"suffix": "treat_whitespace_as_suffix", "words": "whole words", "twice": `both "fi"`, "unused": "unused"}[name]) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// charsmapOf builds the double-array trie of a charsmap, one key byte at a time, at the first place where all children fit.
func charsmapOf(rules map[string]string) []byte {
	var texts []byte
	values := map[string]int32{}
	for key, text := range rules {
		values[key] = int32(len(texts))
		texts = append(append(texts, text...), 0)
	}
	tree := newTrie(values)
	units, used := make([]uint32, 1<<16), map[int]bool{0: true}
	var place func(node uint32, at int)
	place = func(node uint32, at int) {
		n := tree.nodes[node]
		// Children stand at offset^label, the value of a key at offset itself; an offset that needs no wide form is small.
		offset := 0
		for o := 1; o < 1<<12; o++ {
			base := at ^ o
			fits := n.value < 0 || !used[base]
			for c := n.first; c < n.first+uint32(n.count); c++ {
				fits = fits && !used[base^int(tree.nodes[c].label)]
			}
			if fits {
				offset = o
				break
			}
		}
		base := at ^ offset
		units[at] |= uint32(offset) << 10
		if n.value >= 0 {
			units[at] |= 1 << 8
			units[base] = 1<<31 | uint32(n.value)
			used[base] = true
		}
		for c := n.first; c < n.first+uint32(n.count); c++ {
			used[base^int(tree.nodes[c].label)] = true
		}
		for c := n.first; c < n.first+uint32(n.count); c++ {
			to := base ^ int(tree.nodes[c].label)
			units[to] |= uint32(tree.nodes[c].label)
			place(c, to)
		}
	}
	place(0, 0)
	out := binary.LittleEndian.AppendUint32(nil, uint32(4*len(units)))
	for _, u := range units {
		out = binary.LittleEndian.AppendUint32(out, u)
	}
	return append(out, texts...)
}

func TestCharsmap(t *testing.T) {
	rules := map[string]string{"ab": "X", "abc": "YY", "b": "", "½": "1/2", "\u00a0": " "}
	c, err := newCharsmap(charsmapOf(rules))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"": "", "abcd": "YYd", "abab": "XX", "a": "a", "bb½": "1/2", "x\u00a0y": "x y", "\xffab": "\uFFFDX"} {
		if got := c.normalize(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzCharsmap(f *testing.F) {
	f.Add(charsmapOf(map[string]string{"a": "b"})[:600], "a b")
	f.Add([]byte("\x04\x00\x00\x00\xff\xff\xff\xffab\x00"), "abc")
	f.Fuzz(func(t *testing.T, blob []byte, text string) {
		raw := fmt.Sprintf(`{"type":"Precompiled","precompiled_charsmap":%q}`, base64.StdEncoding.EncodeToString(blob))
		n, err := readNormalizer([]byte(raw), 1)
		if err != nil {
			return
		}
		if g := n.growth(); float64(len(n.normalize(text))) > g.times*float64(len(text))+g.plus {
			t.Errorf("%q became more than %g times longer", text, g.times)
		}
	})
}
